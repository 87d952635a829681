//! The SQL of the queues.

use app::ports::{Outgoing, Queue};
use domain::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::{Depth, MAX_RECEIVES, Received};

/// How long SQS remembers a deduplication id.
const DEDUPLICATION_MS: i64 = 5 * 60 * 1000;

/// Creates the tables, and makes visible what was in flight when the process ended.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS queue_messages (
             sequence INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
             message_group TEXT, deduplication_id TEXT, sent_at INTEGER NOT NULL, visible_at INTEGER NOT NULL,
             receives INTEGER NOT NULL DEFAULT 0, receipt TEXT
         );
         CREATE INDEX IF NOT EXISTS queue_messages_queue ON queue_messages (queue, sequence);
         CREATE INDEX IF NOT EXISTS queue_messages_receipt ON queue_messages (receipt) WHERE receipt IS NOT NULL;
         CREATE TABLE IF NOT EXISTS queue_deduplication (
             queue TEXT NOT NULL, id TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (queue, id)
         ) WITHOUT ROWID;
         UPDATE queue_messages SET visible_at = 0, receipt = NULL WHERE receipt IS NOT NULL;",
    )
}

/// All of the messages or none.
pub(super) fn send(
    connection: &mut Connection,
    queue: Queue,
    messages: &[Outgoing],
    now: i64,
    id: impl Fn() -> String,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for message in messages {
        let (group, deduplication) = match queue.is_fifo() {
            true => (message.group.as_deref(), Some(deduplication_id(message))),
            false => (None, None),
        };
        if let Some(deduplication) = &deduplication
            && !is_new(&transaction, queue, deduplication, now)?
        {
            continue;
        }
        transaction
            .prepare_cached(
                "INSERT INTO queue_messages (queue, id, body, message_group, deduplication_id, sent_at, visible_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
            )?
            .execute(params![queue.name(), id(), message.body, group, deduplication, now])?;
    }
    transaction.commit()
}

/// The sender's, or one of the content, as SQS makes it.
fn deduplication_id(message: &Outgoing) -> String {
    message.deduplication_id.clone().unwrap_or_else(|| {
        Sha256::digest(message.body.as_bytes()).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    })
}

/// Whether no message with that id was sent in the last five minutes; from now on one was.
fn is_new(transaction: &Transaction<'_>, queue: Queue, id: &str, now: i64) -> rusqlite::Result<bool> {
    transaction.prepare_cached("DELETE FROM queue_deduplication WHERE until <= ?1")?.execute([now])?;
    let inserted = transaction
        .prepare_cached(
            "INSERT INTO queue_deduplication (queue, id, until) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![queue.name(), id, now + DEDUPLICATION_MS])?;
    Ok(inserted == 1)
}

/// The next messages, in order. Of a FIFO group nothing is given out while one of it is in flight
/// or waits to be tried again. What was delivered too often goes to the dead letters instead.
pub(super) fn receive(
    connection: &mut Connection,
    queue: Queue,
    max: u32,
    (now, until): (i64, i64),
    receipt: impl Fn() -> String,
) -> rusqlite::Result<Vec<Received>> {
    // Most polls find nothing: those need no write transaction.
    let anything = "SELECT 1 FROM queue_messages WHERE queue = ?1 AND visible_at <= ?2 LIMIT 1";
    if connection.prepare_cached(anything)?.query_row(params![queue.name(), now], |_| Ok(())).optional()?.is_none() {
        return Ok(vec![]);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    bury(&transaction, queue, now)?;
    let mut messages: Vec<Received> = transaction
        .prepare_cached(
            "SELECT sequence, id, body, message_group, deduplication_id, sent_at, receives FROM queue_messages AS m
             WHERE queue = ?1 AND visible_at <= ?2 AND (message_group IS NULL OR NOT EXISTS (
                 SELECT 1 FROM queue_messages AS other
                 WHERE other.queue = m.queue AND other.message_group = m.message_group AND other.visible_at > ?2
             ))
             ORDER BY sequence LIMIT ?3",
        )?
        .query_map(params![queue.name(), now, max], received)?
        .collect::<Result<_, _>>()?;
    for message in &mut messages {
        message.receipt = receipt();
        message.receives += 1;
        transaction
            .prepare_cached(
                "UPDATE queue_messages SET receipt = ?2, visible_at = ?3, receives = ?4 WHERE sequence = ?1",
            )?
            .execute(params![message.sequence, message.receipt, until, message.receives])?;
    }
    transaction.commit()?;
    Ok(messages)
}

fn bury(transaction: &Transaction<'_>, queue: Queue, now: i64) -> rusqlite::Result<()> {
    let buried = transaction
        .prepare_cached(
            "UPDATE queue_messages SET queue = ?1, receipt = NULL WHERE queue = ?2 AND visible_at <= ?3 AND receives >= ?4",
        )?
        .execute(params![dead_letters(queue), queue.name(), now, MAX_RECEIVES])?;
    if buried > 0 {
        tracing::error!(queue = queue.name(), messages = buried, "messages went to the dead letters");
    }
    Ok(())
}

fn received(row: &Row<'_>) -> rusqlite::Result<Received> {
    Ok(Received {
        sequence: row.get(0)?,
        id: row.get(1)?,
        receipt: String::new(),
        body: row.get(2)?,
        group: row.get(3)?,
        deduplication_id: row.get(4)?,
        sent_at: Timestamp::from_millisecond(row.get(5)?).unwrap_or_default(),
        receives: row.get(6)?,
    })
}

/// Removes a message, unless it has been delivered again since.
pub(super) fn delete(connection: &Connection, receipt: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM queue_messages WHERE receipt = ?1")?.execute([receipt]).map(drop)
}

/// Gives a message back, unless it has been delivered again since.
pub(super) fn release(connection: &Connection, receipt: &str, visible_at: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE queue_messages SET receipt = NULL, visible_at = ?2 WHERE receipt = ?1")?
        .execute(params![receipt, visible_at])
        .map(drop)
}

/// How full a queue is.
pub(super) fn depth(connection: &Connection, queue: Queue, now: i64) -> rusqlite::Result<Depth> {
    connection
        .prepare_cached(
            "SELECT COUNT(*) FILTER (WHERE queue = ?1 AND visible_at <= ?3),
                    COUNT(*) FILTER (WHERE queue = ?1 AND visible_at > ?3 AND receipt IS NOT NULL),
                    COUNT(*) FILTER (WHERE queue = ?1 AND visible_at > ?3 AND receipt IS NULL),
                    COUNT(*) FILTER (WHERE queue = ?2)
             FROM queue_messages WHERE queue IN (?1, ?2)",
        )?
        .query_row(params![queue.name(), dead_letters(queue), now], |row| {
            let count = |i| row.get::<_, i64>(i).map(i64::unsigned_abs);
            Ok(Depth { visible: count(0)?, in_flight: count(1)?, delayed: count(2)?, dead: count(3)? })
        })
}

fn dead_letters(queue: Queue) -> String {
    format!("{}-dlq", queue.name())
}
