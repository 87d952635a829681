//! What a controller and its nodes have to say when an operation on a lab has failed.

use domain::LabId;
use domain::evidence::{Evidence, EvidenceKind, NODE_CONSOLES_MAX};
use domain::worker::Worker;
use futures::future::join_all;
use serde_json::Value;

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlError, CmlErrorKind, CmlNode, CmlState, ProxyMethod, ProxyRequest};
use crate::use_cases::controller::{CmlPorts, Way};
use crate::use_cases::evidence::{Exhibit, Failed, keep, kept};

/// What is asked of `GET /diagnostics/{category}`; what matters most stands last, where nothing is cut off. Users and
/// node definitions say nothing of a failure. Source: CML 2.9's `OpenAPI` document.
const CATEGORIES: [&str; 7] =
    ["services", "startup_scheduler", "licensing", "computes", "node_launch_queue", "lab_events", "labs"];
/// Of these only the part of the lab in question is kept: they tell of the labs of all owners, by their ids.
const BY_LAB: [&str; 2] = ["lab_events", "labs"];
/// Lines of a node's console: a boot of the largest images has about as many.
const CONSOLE_LINES: u32 = 2_000;

/// Keeps the controller's diagnostics and, where nodes were to boot, the consoles of some that did not.
pub(super) async fn of_lab(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    worker: &Worker,
    failed: &Failed,
    (lab, booting): (Option<&LabId>, bool),
) -> Vec<Evidence> {
    let mut all = Vec::new();
    all.extend(kept(worker.id, diagnostics(ctx, ports, way, failed, lab).await));
    let Some(lab) = lab.filter(|_| booting) else { return all };
    match ports.controllers.nodes(way.access(), lab.as_str()).await {
        Ok(nodes) => {
            let stuck = nodes.iter().filter(|node| is_stuck(node)).take(NODE_CONSOLES_MAX);
            let consoles = stuck.map(|node| console(ctx, ports, way, failed, (lab, node)));
            all.extend(join_all(consoles).await.into_iter().filter_map(|taken| kept(worker.id, taken)));
        }
        Err(error) => tracing::warn!(worker_id = %worker.id, %error, "the nodes of a failed lab cannot be read"),
    }
    all
}

/// It runs, and has not finished booting. What waits for its turn has no console yet.
fn is_stuck(node: &CmlNode) -> bool {
    use CmlState::{Booted, DefinedOnCore, Disconnected, Other, Queued, Started, Starting, Stopped};
    match node.state {
        Some(Started | Starting | Disconnected | Other(_)) => true,
        Some(DefinedOnCore | Stopped | Queued | Booted) | None => false,
    }
}

async fn diagnostics(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    failed: &Failed,
    lab: Option<&LabId>,
) -> Result<Option<Evidence>, AppError> {
    let asked = CATEGORIES.map(|category| async move { (category, told(ports, way, category).await) });
    let mut text = format!("What the controller told at {}:\n", ctx.now());
    let mut any = None;
    for (category, told) in join_all(asked).await {
        let told = told.and_then(|told| if BY_LAB.contains(&category) { of(told, lab) } else { Ok(told) });
        let shown = match told {
            Ok(told) => {
                any = Some(());
                format!("{told:#}")
            }
            Err(error) => format!("not told: {error}"),
        };
        text.push_str(&format!("\nGET /diagnostics/{category}\n{shown}\n"));
    }
    let lab_id = lab.cloned();
    let exhibit = Exhibit { kind: EvidenceKind::CmlDiagnostics, lab_id, node: None, text };
    match any {
        Some(()) => keep(ctx, ports.files, failed, exhibit, &way.passwords()).await.map(Some),
        None => Ok(None),
    }
}

fn refused(status: Option<u16>, message: String) -> CmlError {
    CmlError { operation: "GET /diagnostics/{category}", status, kind: CmlErrorKind::Refused, message }
}

async fn told(ports: CmlPorts<'_>, way: &Way, category: &str) -> Result<Value, CmlError> {
    let path_and_query = &format!("/diagnostics/{category}");
    let request = ProxyRequest { method: ProxyMethod::Get, path_and_query, content_type: None, body: b"" };
    let answer = ports.controllers.forward(way.access(), request).await?;
    if answer.status != 200 {
        return Err(refused(Some(answer.status), format!("it answered with the status {}", answer.status)));
    }
    serde_json::from_slice(&answer.body).map_err(|error| refused(None, format!("its answer is no JSON: {error}")))
}

/// The part of one lab.
fn of(mut told: Value, lab: Option<&LabId>) -> Result<Value, CmlError> {
    let part = lab.and_then(|lab| told.get_mut(lab.as_str())).map(Value::take);
    part.ok_or_else(|| refused(None, "nothing of this lab".into()))
}

async fn console(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    failed: &Failed,
    (lab, node): (&LabId, &CmlNode),
) -> Result<Option<Evidence>, AppError> {
    let lines = ports.controllers.console_log(way.access(), lab.as_str(), &node.id, 0, CONSOLE_LINES).await?;
    if lines.is_empty() {
        return Ok(None);
    }
    let label = node.label.clone().unwrap_or_else(|| node.id.clone());
    let (lab_id, text) = (Some(lab.clone()), lines.join("\n") + "\n");
    let exhibit = Exhibit { kind: EvidenceKind::NodeConsole, lab_id, node: Some(label), text };
    keep(ctx, ports.files, failed, exhibit, &way.passwords()).await.map(Some)
}
