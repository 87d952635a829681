//! What every store of files must do, whatever it is made of.

use crate::ports::{Files, PortError};

/// Tries a store of files by keys below `folder`, which nobody else uses.
///
/// # Errors
/// What it does not do, or how it failed.
pub async fn check_files(files: &dyn Files, folder: &str) -> Result<(), String> {
    let failed = |error: PortError| error.to_string();
    let key = format!("{folder}/bak-1.yaml");
    let read = async |most: usize| files.get(&key, most).await;
    let holds = |so: bool, what: &str| if so { Ok(()) } else { Err(format!("this does not hold: {what}")) };

    holds(read(10).await.map_err(failed)?.is_none(), "a file that was never put is none")?;
    files.delete(&key).await.map_err(failed)?;
    files.put(&key, b"one").await.map_err(failed)?;
    holds(read(3).await.map_err(failed)?.as_deref() == Some(b"one"), "a file comes back, as large as is asked for")?;
    holds(read(2).await.is_err(), "a file larger than is asked for is an error")?;
    // Every byte, and more than comes in one piece.
    let large: Vec<u8> = (0..=u8::MAX).cycle().take(300_001).collect();
    files.put(&key, &large).await.map_err(failed)?;
    holds(read(large.len()).await.map_err(failed)? == Some(large.clone()), "a file is replaced, whole")?;
    holds(read(large.len() - 1).await.is_err(), "a large file that is a byte too large is an error")?;
    files.put(&key, b"").await.map_err(failed)?;
    holds(read(0).await.map_err(failed)?.as_deref() == Some(b""), "an empty file is a file")?;
    let other = format!("{folder}/bak-2.yaml");
    files.put(&other, b"other").await.map_err(failed)?;
    files.delete(&key).await.map_err(failed)?;
    files.delete(&key).await.map_err(failed)?;
    holds(read(10).await.map_err(failed)?.is_none(), "a deleted file is none")?;
    let kept = files.get(&other, 10).await.map_err(failed)?;
    holds(kept.as_deref() == Some(b"other"), "others stay")?;
    files.delete(&other).await.map_err(failed)
}
