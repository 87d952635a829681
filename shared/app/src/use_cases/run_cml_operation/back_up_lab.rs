//! Save a lab with its configurations: have CML store what runs, download, keep the file, record it.

use domain::backup::{Backup, file_key};
use domain::lab::{LabLook, LabState};
use domain::operation::cml::BackUpLabTask;
use domain::operation::{Operation, OperationResult, SAFE_MODE, Task};
use domain::worker::Worker;
use domain::{Actor, SignedDuration};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlError, CmlErrorKind, CmlLab, CmlNode, CmlState};
use crate::use_cases::backup_files::{drop_beyond_retention, sha256_hex};
use crate::use_cases::controller::{CmlPorts, Way, failed_call};
use crate::use_cases::operation_run::Progress;

/// Nodes whose configuration is extracted at the same time, and in one invocation: each may take half a minute.
const EXTRACTED_AT_ONCE: usize = 10;
/// Runs in which CML may give no answer, or no whole one, until it is taken as it is: the lab is saved without
/// what runs on a node that does not answer, and not at all when it cannot be read.
const UNANSWERED_RUNS_MAX: u32 = 3;
/// How soon the next nodes are asked.
const NEXT_NODES_AFTER: SignedDuration = SignedDuration::from_secs(5);

pub(super) async fn advance(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    worker: &Worker,
    mut task: BackUpLabTask,
) -> Result<Progress, AppError> {
    if ctx.settings.safe_mode {
        let message = "SAFE_MODE is on: the lab was not saved, because CML would have to store what runs.";
        return Ok(Progress::failed(SAFE_MODE, message));
    }
    let saved = save_lab(ctx, ports, way, worker, &operation.requested_by, &mut task).await;
    operation.task = Task::BackUpLab(task);
    Ok(saved?.map_or_else(std::convert::identity, |backup| Progress::Done(result(&backup))))
}

fn result(backup: &Backup) -> OperationResult {
    let unsaved = |(label, why): &(String, String)| {
        format!("What runs on {label} could not be saved, only what was stored before: {why}")
    };
    OperationResult {
        worker_id: Some(backup.worker_id),
        lab_id: Some(backup.lab_id.clone()),
        backup_id: Some(backup.id),
        warnings: backup.not_extracted.iter().map(unsaved).collect(),
        ..OperationResult::default()
    }
}

/// Takes the saving of a lab one step further: the backup once it is kept, and until then what is waited for
/// or what stands in the way. `task` tells which lab, and as which backup, and has its progress afterwards: the
/// caller keeps it with the operation, and calls again with it. However often that is, there is one backup.
///
/// # Errors
/// The table or the store of files failed; the next call goes on where this one was.
pub(super) async fn save_lab(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    worker: &Worker,
    made_by: &Actor,
    task: &mut BackUpLabTask,
) -> Result<Result<Backup, Progress>, AppError> {
    let backup = match ctx.store.find_backup(task.backup).await? {
        // It was kept, and what came after was lost.
        Some(backup) => backup,
        None => match read_lab(ctx, ports, way, task).await {
            Ok((lab, nodes, yaml)) => keep(ctx, ports, worker, made_by, task, (&lab, nodes, &yaml)).await?,
            Err(progress) => return Ok(Err(progress)),
        },
    };
    drop_beyond_retention(ctx, ports.files, &backup).await?;
    Ok(Ok(backup))
}

/// The lab with what runs on it: what CML says of it, how many nodes it has, and its topology.
async fn read_lab(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    task: &mut BackUpLabTask,
) -> Result<(CmlLab, usize, String), Progress> {
    let lab_id = task.lab.clone();
    let lab = ports.controllers.lab(way.access(), lab_id.as_str()).await;
    let lab = lab.map_err(|error| unread(ctx, task, &error))?;
    let nodes = ports.controllers.nodes(way.access(), lab_id.as_str()).await;
    let nodes = nodes.map_err(|error| unread(ctx, task, &error))?;
    if extract(ctx, ports, way, task, &nodes).await? {
        let what = "the nodes to have their running configurations stored".to_owned();
        return Err(Progress::Waiting(what, ctx.now() + NEXT_NODES_AFTER));
    }
    let yaml = ports.controllers.download_lab(way.access(), lab_id.as_str()).await;
    let yaml = yaml.map_err(|error| unread(ctx, task, &error))?;
    // What cannot be read back is no backup. A lab that is being changed is settled a moment later.
    match nodes_in(&yaml) {
        Ok(there) if there == nodes.len() => Ok((lab, there, yaml)),
        Ok(there) => {
            let listed = nodes.len();
            Err(Progress::waiting(ctx, format!("CML's file of the lab, which has {there} nodes, to have all {listed}")))
        }
        Err(error) => Err(Progress::waiting(ctx, format!("CML's file of the lab to be whole ({error})"))),
    }
}

/// What it means that something could not be read. An answer that was cut short may come whole next time.
fn unread(ctx: &Context, task: &mut BackUpLabTask, error: &CmlError) -> Progress {
    if error.kind != CmlErrorKind::Malformed || task.unanswered + 1 >= UNANSWERED_RUNS_MAX {
        return failed_call(ctx, error);
    }
    task.unanswered += 1;
    Progress::waiting(ctx, format!("a whole answer of the controller ({error})"))
}

#[derive(Deserialize)]
struct Topology {
    #[serde(default)]
    nodes: Vec<IgnoredAny>,
}

fn nodes_in(yaml: &str) -> Result<usize, serde_norway::Error> {
    Ok(serde_norway::from_str::<Topology>(yaml)?.nodes.len())
}

/// Has CML store the running configurations of nodes that were not asked yet. True when that goes on: the
/// nodes of this run are to be written down, and the others come next. Extracting reads the node and stores
/// what it shows, so that a node whose answer was lost may be asked again.
async fn extract(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    task: &mut BackUpLabTask,
    nodes: &[CmlNode],
) -> Result<bool, Progress> {
    let unasked = |task: &BackUpLabTask, node: &CmlNode| !task.extracted.contains(&node.id);
    let (booted, others): (Vec<&CmlNode>, Vec<&CmlNode>) =
        nodes.iter().filter(|node| unasked(task, node)).partition(|node| node.state == Some(CmlState::Booted));
    if booted.is_empty() {
        let unbooted = others.into_iter().filter_map(|node| Some((node, runs_unbooted(node.state.as_ref()?)?)));
        for (node, why) in unbooted.collect::<Vec<_>>() {
            note(task, node, &why);
        }
        return Ok(false);
    }
    let now: Vec<&CmlNode> = booted.into_iter().take(EXTRACTED_AT_ONCE).collect();
    let mut calls = Vec::with_capacity(now.len());
    for node in &now {
        calls.push(ports.controllers.extract_configuration(way.access(), task.lab.as_str(), &node.id));
    }
    let answers = futures::future::join_all(calls).await;
    let last_run = task.unanswered + 1 >= UNANSWERED_RUNS_MAX;
    let mut unanswered = false;
    for (node, answer) in now.into_iter().zip(answers) {
        match answer {
            Ok(()) => task.extracted.push(node.id.clone()),
            Err(error) if error.kind == CmlErrorKind::CertificateChanged => return Err(failed_call(ctx, &error)),
            Err(error) if !last_run && (error.retryable() || error.outcome_unknown()) => unanswered = true,
            Err(error) => note(task, node, &error.message),
        }
    }
    task.unanswered += u32::from(unanswered);
    Ok(true)
}

/// Why nothing can be extracted from a node that runs and has not booted.
fn runs_unbooted(state: &CmlState) -> Option<String> {
    match state {
        CmlState::DefinedOnCore | CmlState::Stopped | CmlState::Booted => None,
        CmlState::Started | CmlState::Queued | CmlState::Starting | CmlState::Disconnected | CmlState::Other(_) => {
            Some(format!("It had not booted; CML showed {state}."))
        }
    }
}

/// Of so many nodes it is told why; of more than these only in short, because an item of the table holds 400 KB.
const TOLD_IN_FULL: usize = 100;

fn note(task: &mut BackUpLabTask, node: &CmlNode, why: &str) {
    task.extracted.push(node.id.clone());
    let chars = if task.not_extracted.len() < TOLD_IN_FULL { 300 } else { 40 };
    let why = why.chars().take(chars).collect();
    task.not_extracted.push((node.label.clone().unwrap_or_else(|| node.id.clone()), why));
}

/// Keeps the file, and then what is known of it: a file without its record is written again by the next call,
/// under the same key.
async fn keep(
    ctx: &Context,
    ports: CmlPorts<'_>,
    worker: &Worker,
    made_by: &Actor,
    task: &BackUpLabTask,
    (lab, nodes, yaml): (&CmlLab, usize, &str),
) -> Result<Backup, AppError> {
    ports.files.put(&file_key(task.backup), yaml.as_bytes()).await.map_err(AppError::Unavailable)?;
    let made_at = ctx.now();
    let backup = Backup {
        id: task.backup,
        worker_id: worker.id,
        worker_name: worker.name.clone(),
        lab_id: task.lab.clone(),
        lab_owner: lab.owner_username.clone(),
        title: lab.title.clone().unwrap_or_else(|| lab.id.clone()),
        description: lab.description.clone().filter(|text| !text.is_empty()),
        node_count: u32::try_from(nodes).unwrap_or(u32::MAX),
        bytes: yaml.len() as u64,
        sha256: sha256_hex(yaml.as_bytes()),
        made_at,
        made_by: made_by.clone(),
        not_extracted: task.not_extracted.clone(),
        lab_look: look(lab),
        expires_at: ctx.settings.backups.expiry(made_at),
    };
    ctx.store.save_backup(&backup).await?;
    Ok(backup)
}

/// How CML shows a lab.
pub(super) fn look(lab: &CmlLab) -> LabLook {
    let state = lab.state.as_ref().map(|state| LabState::from_name(state.name()));
    LabLook { modified_at: lab.modified_at, state }
}
