// Debian's chromium, with a profile of its own that is gone when it is closed.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

// Nothing but the pages under test: no updates, no sync, no look-ups of its own. As root and in
// containers chromium's sandbox cannot be had.
const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** Runs `use(context)` in a fresh browser, and closes it however that ends. */
export async function withBrowser(use) {
  const profile = await mkdtemp(join(tmpdir(), 'ccm-browser-'));
  try {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      headless: true,
      args: ARGUMENTS,
      // The API's answers forbid a page everything; here they stand for the console's pages, which call it.
      bypassCSP: true,
    });
    context.setDefaultTimeout(30_000);
    try {
      return await use(context);
    } finally {
      await context.close();
    }
  } finally {
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
