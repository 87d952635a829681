// A person's day with one browser, from the first login to the logout:
//   node sign-in.mjs http://127.0.0.1:8000 [development|keycloak] [user] [password]
// Works with any issuer whose form has the fields `username` and `password`. `development` is the local
// stack's own. `keycloak` has a session of its own, and access tokens of some seconds, so that a refresh that
// waits until it is due is a real one.
// With NOTED_SECRETS=<file> it adds to that file what no log may show.
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { withBrowser } from './browser.mjs';

const [base = 'http://127.0.0.1:8000', issuer = 'development', username = 'manager', password = 'test'] =
  process.argv.slice(2);
const origin = new URL(base).origin;
const keycloak = issuer === 'keycloak';
// Far more than it takes. The browser is closed with the process.
const LIMIT_SECONDS = 240;
const SESSION_COOKIES = ['__Host-session', `ccm-session-${new URL(base).port}`];
const ROUNDS = keycloak ? 3 : 5;

const seen = (what) => console.log(`ok  ${what}`);

/** Sends a request from within a page, with whatever cookies the browser has for it. */
const send = (page, method, path) =>
  page.evaluate(async ([method, path]) => {
    const answer = await fetch(path, { method });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
  }, [method, path]);

/** The same as the console does it: refreshes a session that asks for it, and sends the request again. */
async function call(page, method, path) {
  const answer = await send(page, method, path);
  if (!answer.body?.type?.endsWith(':session_refresh_needed')) return answer;
  assert.equal((await refresh(page)).status, 200);
  return send(page, method, path);
}

const sessionCookie = async (context) =>
  (await context.cookies(origin)).find((cookie) => SESSION_COOKIES.includes(cookie.name));

/** Opens the login; tells whether the issuer asks for the password, or knows the person already. */
async function openLogin(page) {
  await page.goto(`${base}/api/auth/login?return_to=/api/auth/session`);
  return (await page.locator('input[name=password]').count()) > 0;
}

async function signIn(page) {
  await page.locator('input[name=username]').fill(username);
  await page.locator('input[name=password]').fill(password);
  await page.locator('input[name=password]').press('Enter');
  await page.waitForURL(`${origin}/api/auth/session`);
}

/** Keeps what no log may show, for the search at the end of a run: cookies, and what addresses carry. */
function note(...secrets) {
  if (process.env.NOTED_SECRETS) {
    appendFileSync(process.env.NOTED_SECRETS, secrets.filter((secret) => secret).map((secret) => `${secret}\n`).join(''));
  }
}

const JWT = /^eyJ[\w-]*\.[\w-]+\.[\w-]+$/;
const tokensInAddresses = [];
const noteAddress = (address) => {
  const query = new URL(address).searchParams;
  note(...['code', 'state', 'nonce'].map((name) => query.get(name)));
  tokensInAddresses.push(...[...query.values()].filter((value) => JWT.test(value)));
};

const noteCookies = async (context) => note(...(await context.cookies(origin)).map(({ value }) => value));

/** The page of somebody else, on the same host, so that the browser sends our cookies along. */
async function withStranger(use, cookies = []) {
  const server = createServer((_, answer) =>
    answer.setHeader('content-type', 'text/html').setHeader('set-cookie', cookies).end('<p>a stranger'));
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    return await use(`http://${new URL(base).hostname}:${server.address().port}/`);
  } finally {
    server.close();
  }
}

async function firstLogin(context, page) {
  assert.ok(await openLogin(page), 'the issuer asks for the password');
  assert.notEqual(new URL(page.url()).pathname, '/api/auth/login', 'the form is the issuer\'s');
  await signIn(page);
  const cookie = await sessionCookie(context);
  assert.ok(cookie, 'a session cookie is set');
  assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, 'Lax', '/']);
  assert.equal(cookie.secure, cookie.name.startsWith('__Host-'));
  assert.ok(!page.url().includes('code='), 'no code is left in the address');
  assert.equal(await page.evaluate(() => document.cookie), '', 'no script sees a cookie');
  seen(`login: cookie ${cookie.name}, HttpOnly, SameSite=Lax${cookie.secure ? ', Secure' : ''}`);

  const session = await call(page, 'GET', '/api/auth/session');
  assert.equal(session.status, 200);
  assert.deepEqual([session.body.username, session.body.role], [username, username]);
  assert.doesNotMatch(JSON.stringify(session.body), /eyJ/, 'no token is told');
  const me = await call(page, 'GET', '/api/auth/me');
  assert.deepEqual([me.status, me.body.username, me.body.credential], [200, username, 'session']);
  seen(`session: ${session.body.username}, role ${session.body.role}`);
}

/** What the names of our cookies follow from; docs/IDENTITY.md has the outcome. */
async function hostCookies(context) {
  const names = ['plain-x', '__Host-x'];
  await withStranger(async (address) => {
    const page = await context.newPage();
    await page.goto(address);
    const kept = (await context.cookies(address)).map(({ name }) => name);
    assert.ok(kept.includes('plain-x'), 'a cookie can be set');
    seen(`a __Host- cookie over http://127.0.0.1 is ${kept.includes('__Host-x') ? 'kept' : 'not kept'}`);
    await page.close();
  }, ['plain-x=1; Path=/', '__Host-x=1; Path=/; Secure']);
  for (const name of names) await context.clearCookies({ name });
}

/** A login at the other name of this machine ends where the issuer sends people back to. */
async function atLocalhost(context, page) {
  await page.goto(`${base.replace('127.0.0.1', 'localhost')}/api/auth/login?return_to=/api/auth/session`);
  if ((await page.locator('input[name=password]').count()) > 0) await signIn(page);
  assert.equal(page.url(), `${origin}/api/auth/session`);
  assert.equal((await call(page, 'GET', '/api/auth/session')).status, 200);
  seen('a login at localhost ends in a session at 127.0.0.1');
  // It ended the browser's former session, which had been signed in by the same session of the issuer's.
  if (keycloak) await refreshIsDue(page);
  assert.equal((await refresh(page)).status, 200);
  seen('a session that took another\'s place is refreshed');
}

/** The status of a call that a page of another origin makes: the page itself never learns it. */
async function statusBlindly(page, method, path) {
  const [answer] = await Promise.all([
    page.waitForResponse((answer) => answer.url() === `${origin}${path}`),
    page.evaluate(([method, url]) => fetch(url, { method, mode: 'no-cors', credentials: 'include' }), [method, `${origin}${path}`]),
  ]);
  return answer.status();
}

async function strangersGetNothing(context) {
  await withStranger(async (address) => {
    const page = await context.newPage();
    await page.goto(address);
    assert.equal(await statusBlindly(page, 'GET', '/api/auth/session'), 200, 'the browser sends the cookie along');
    assert.equal(await statusBlindly(page, 'POST', '/api/auth/logout'), 403, 'a change for another origin is refused');
    assert.equal(await statusBlindly(page, 'GET', '/api/auth/session'), 200);
    await page.close();
  });
  seen('a page of another origin cannot log the person out');
}

/** Refreshes as the console does: it tries again when it is asked to. */
async function refresh(page) {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const answer = await send(page, 'POST', '/api/auth/refresh');
    if (answer.status !== 503) return answer;
    await page.waitForTimeout(200);
  }
  throw new Error('refresh answers 503 all the time');
}

async function refreshIsDue(page) {
  const { refresh_after: due } = (await call(page, 'GET', '/api/auth/session')).body;
  await page.waitForTimeout(Math.max(0, Date.parse(due) - Date.now()));
}

async function twoTabs(context, page) {
  const other = await context.newPage();
  await other.goto(`${base}/api/auth/session`);
  const before = (await call(page, 'GET', '/api/auth/session')).body.access_expires_at;
  for (let round = 0; round < ROUNDS; round += 1) {
    // Development tokens are good for hours: there a refresh finds nothing to do.
    if (keycloak) await refreshIsDue(page);
    const answers = await Promise.all([page, other].map(refresh));
    assert.deepEqual(answers.map(({ status }) => status), [200, 200], `round ${round + 1}`);
  }
  for (const tab of [page, other]) {
    const session = await call(tab, 'GET', '/api/auth/session');
    assert.deepEqual([session.status, session.body.username], [200, username]);
  }
  const after = (await call(page, 'GET', '/api/auth/session')).body.access_expires_at;
  if (keycloak) assert.ok(Date.parse(after) > Date.parse(before), 'the token was really refreshed');
  seen(`two tabs refreshed at once, ${ROUNDS} times: both are signed in${after === before ? ' (the token was fresh)' : ''}`);
  await other.close();
}

async function logout(context, page) {
  // The proof that what follows shows something: before, Keycloak lets the person in without a question.
  if (keycloak) {
    assert.equal(await openLogin(page), false, 'while the issuer\'s session lasts, it asks for nothing');
    await page.waitForURL(`${origin}/api/auth/session`);
  }
  const left = await sessionCookie(context);
  const answer = await send(page, 'POST', '/api/auth/logout');
  assert.equal(answer.status, 200);
  assert.equal(await sessionCookie(context), undefined, 'the cookie is cleared');
  assert.equal((await call(page, 'GET', '/api/auth/session')).status, 401);
  // A cookie that somebody kept is worth nothing any more.
  await context.addCookies([left]);
  assert.equal((await call(page, 'GET', '/api/auth/session')).status, 401);
  await context.clearCookies({ name: left.name });
  seen('logout: the cookie is cleared, and the old one is refused');

  if (answer.body.logout_url) {
    await page.goto(answer.body.logout_url);
    // Its session was ended from the server: nothing is left to be confirmed.
    assert.equal(new URL(page.url()).origin, origin, 'the issuer sends the person back without a question');
  }
  assert.ok(await openLogin(page), 'a new login asks for the password');
  await signIn(page);
  seen('the issuer\'s session has ended too: the password was asked for again');
}

setTimeout(() => {
  console.error(`not done after ${LIMIT_SECONDS} s`);
  process.exit(1);
}, LIMIT_SECONDS * 1000).unref();
await withBrowser(async (context) => {
  context.on('request', (request) => noteAddress(request.url()));
  const page = await context.newPage();
  await firstLogin(context, page);
  await noteCookies(context);
  await strangersGetNothing(context);
  await twoTabs(context, page);
  await noteCookies(context);
  await logout(context, page);
  await atLocalhost(context, page);
  await noteCookies(context);
  await hostCookies(context);
  assert.deepEqual(tokensInAddresses, [], 'no token is in an address');
});
