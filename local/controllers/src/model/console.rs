//! What a node has to say: its console while it boots, and the configuration it runs with.

use domain::Timestamp;
use serde_json::Value;

use super::node::Node;

/// What the line begins with that a running configuration has, and one written by hand has not.
const CHANGED: &str = "Last configuration change at ";

/// The log of a serial console: lines of `|<milliseconds since the start>|<text>`. Empty when the node
/// does not run.
pub(crate) fn log(node: &Node, now: Timestamp) -> Vec<String> {
    let Some(since) = node.runs_since() else { return Vec::new() };
    let definition = node.spec.definition();
    let label = &node.spec.label;
    let boot = definition.boots_in();
    let said = [
        (0, format!("{}: powered on", definition.id)),
        (1, format!("{label}: {} MiB of memory, {} CPU", node.spec.memory_mib(), node.spec.vcpus())),
        (2, format!("{label}: reading the configuration")),
        (3, format!("{label}: bringing up {} interfaces", node.interfaces.len())),
        (4, format!("{label} login:")),
    ];
    let said = said.into_iter().map(|(quarter, text)| (boot * quarter / 4, text));
    let until_now = said.filter(|(after, _)| since + *after <= now);
    until_now.map(|(after, text)| format!("|{}|{text}", after.as_millis())).collect()
}

/// The configuration it runs with: the stored one, and a line that tells since when. The same at each
/// look within one run.
pub(crate) fn running_configuration(node: &Node, booted_at: Timestamp) -> Value {
    match &node.spec.configuration {
        // Named files: the first is what the machine itself rewrites.
        Value::Array(files) => {
            let mut files = files.clone();
            if let Some(content) = files.first_mut().and_then(|file| file.get_mut("content")) {
                *content = rewritten(node, content.as_str().unwrap_or_default(), booted_at).into();
            }
            files.into()
        }
        stored => rewritten(node, stored.as_str().unwrap_or_default(), booted_at).into(),
    }
}

fn rewritten(node: &Node, stored: &str, booted_at: Timestamp) -> String {
    let remark = node.spec.definition().remark;
    let begins = format!("{remark} {CHANGED}");
    let kept = stored.lines().filter(|line| !line.starts_with(&begins));
    // Where nothing was stored it runs with what its kind begins with.
    let own = stored.is_empty().then(|| format!("hostname {}", node.spec.label));
    let mut text = format!("{begins}{}\n", booted_at.strftime("%H:%M:%S UTC %a %b %-d %Y"));
    for line in kept.map(str::to_owned).chain(own) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}
