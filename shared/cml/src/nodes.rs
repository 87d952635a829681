//! Nodes of a lab.

use app::ports::{CmlAccess, CmlError, CmlNode, CmlNodes, NodeProgress};
use async_trait::async_trait;
use serde_json::Value;

use crate::CmlClient;
use crate::auth::Session;
use crate::call::Call;
use crate::errors::malformed;
use crate::json::{count_at, id_of, list, state_at, text_at, texts_at};
use crate::transport::BODY_BYTES;

const NODES: &str = "GET /labs/{lab_id}/nodes";
const STATE: &str = "GET /labs/{lab_id}/nodes/{node_id}/state";
const LOG: &str = "GET /labs/{lab_id}/nodes/{node_id}/consoles/{console}/log";
/// Without configurations, about 1 kB a node.
const NODES_BYTES: usize = 4 * 1024 * 1024;
/// The most lines of a console.
const LOG_LINES: u32 = 10_000;

fn node(node: &Value) -> Option<CmlNode> {
    // As it is defined, and (`operational`) as it runs.
    let text =
        |name: &str| text_at(node, &format!("/operational/{name}")).or_else(|| text_at(node, &format!("/{name}")));
    let count =
        |name: &str| count_at(node, &format!("/operational/{name}")).or_else(|| count_at(node, &format!("/{name}")));
    Some(CmlNode {
        id: id_of(node)?,
        label: text_at(node, "/label"),
        node_definition: text_at(node, "/node_definition"),
        image_definition: text("image_definition"),
        state: state_at(node, "/state").or_else(|| state_at(node, "/operational/state")),
        boot_progress: text("boot_progress"),
        compute_id: text("compute_id"),
        vcpus: count("cpus"),
        memory_mib: count("ram"),
        tags: texts_at(node, "/tags"),
    })
}

/// The console's last lines, in whatever form they come: a text, a list, or either under `log`.
fn last_lines(body: &[u8], most: u32) -> Result<Vec<String>, CmlError> {
    let answer = serde_json::from_slice(body).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body)));
    let log = answer.get("log").unwrap_or(&answer);
    let mut lines: Vec<String> = match log {
        Value::String(text) => text.lines().map(str::to_owned).collect(),
        Value::Array(lines) => lines.iter().filter_map(|line| line.as_str().map(str::to_owned)).collect(),
        Value::Null => Vec::new(),
        _ => return Err(malformed(LOG, "its answer is not a log")),
    };
    let surplus = lines.len().saturating_sub(most as usize);
    lines.drain(..surplus);
    Ok(lines)
}

async fn console_log(
    session: &Session<'_>,
    lab_id: &str,
    node_id: &str,
    console: u32,
    lines: u32,
) -> Result<Vec<String>, CmlError> {
    let lines = lines.clamp(1, LOG_LINES);
    let call = Call::with_ids(LOG, &[lab_id, node_id, &console.to_string()])?.query(&format!("lines={lines}"));
    last_lines(&session.bytes_up_to(BODY_BYTES, &call).await?, lines)
}

#[async_trait]
impl CmlNodes for CmlClient {
    async fn nodes(&self, access: CmlAccess<'_>, lab_id: &str) -> Result<Vec<CmlNode>, CmlError> {
        let call = Call::with_ids(NODES, &[lab_id])?.query("data=true&operational=true&exclude_configurations=true");
        list(NODES, &self.session(access).await?.json_up_to(NODES_BYTES, &call).await?, node)
    }

    async fn node_state(&self, access: CmlAccess<'_>, lab_id: &str, node_id: &str) -> Result<NodeProgress, CmlError> {
        let answer = self.session(access).await?.json(&Call::with_ids(STATE, &[lab_id, node_id])?).await?;
        let state = state_at(&answer, "/state").ok_or_else(|| malformed(STATE, "its answer has no state"))?;
        Ok(NodeProgress { state, progress: text_at(&answer, "/progress") })
    }

    async fn start_node(&self, access: CmlAccess<'_>, lab_id: &str, node_id: &str) -> Result<(), CmlError> {
        let call = Call::with_ids("PUT /labs/{lab_id}/nodes/{node_id}/state/start", &[lab_id, node_id])?;
        self.session(access).await?.change(&call).await
    }

    async fn stop_node(&self, access: CmlAccess<'_>, lab_id: &str, node_id: &str) -> Result<(), CmlError> {
        let call = Call::with_ids("PUT /labs/{lab_id}/nodes/{node_id}/state/stop", &[lab_id, node_id])?;
        self.session(access).await?.change(&call).await
    }

    async fn wipe_node_disks(&self, access: CmlAccess<'_>, lab_id: &str, node_id: &str) -> Result<(), CmlError> {
        let call = Call::with_ids("PUT /labs/{lab_id}/nodes/{node_id}/wipe_disks", &[lab_id, node_id])?;
        self.session(access).await?.change(&call).await
    }

    async fn extract_configuration(&self, access: CmlAccess<'_>, lab_id: &str, node_id: &str) -> Result<(), CmlError> {
        let call = Call::with_ids("PUT /labs/{lab_id}/nodes/{node_id}/extract_configuration", &[lab_id, node_id])?;
        self.session(access).await?.change(&call).await
    }

    async fn console_log(
        &self,
        access: CmlAccess<'_>,
        lab_id: &str,
        node_id: &str,
        console: u32,
        lines: u32,
    ) -> Result<Vec<String>, CmlError> {
        console_log(&self.session(access).await?, lab_id, node_id, console, lines).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_in_every_form_and_its_last_lines_are_kept() {
        for form in [
            "\"boot\\r\\nlogin:\\n\"",
            "boot\nlogin:",
            "[\"boot\", 7, \"login:\"]",
            "{\"log\": [\"boot\", \"login:\"]}",
            "{\"log\": \"boot\\nlogin:\"}",
        ] {
            assert_eq!(last_lines(form.as_bytes(), 10).unwrap(), ["boot", "login:"], "{form}");
            assert_eq!(last_lines(form.as_bytes(), 1).unwrap(), ["login:"], "{form}");
        }
        assert_eq!(last_lines(b"null", 10).unwrap(), [""; 0]);
        assert!(last_lines(b"{\"lines\": 7}", 10).is_err());
    }
}
