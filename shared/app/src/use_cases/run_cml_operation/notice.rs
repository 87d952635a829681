//! Tell people in CML something, and take it back.

use domain::operation::cml::NoticeTask;
use domain::operation::{Operation, OperationResult, SAFE_MODE};

use crate::context::Context;
use crate::error::AppError;
use crate::ports::{CmlError, CmlNotice, NoticeChange, NoticeLevel};
use crate::use_cases::controller::{CmlPorts, Way, failed_call};
use crate::use_cases::operation_run::Progress;

pub(super) async fn advance(
    ctx: &Context,
    ports: CmlPorts<'_>,
    way: &Way,
    operation: &mut Operation,
    task: &NoticeTask,
) -> Result<Progress, AppError> {
    if ctx.settings.safe_mode {
        return Ok(Progress::failed(SAFE_MODE, "SAFE_MODE is on: nobody was told anything in CML."));
    }
    Ok(match show(ports, way, &task.label, task.content.as_deref()).await {
        Ok(()) => Progress::Done(OperationResult { worker_id: operation.target, ..OperationResult::default() }),
        Err(error) => failed_call(ctx, &error),
    })
}

/// Makes `content` all that CML shows under that headline, or nothing. It looks first, so that a notice whose
/// answer was lost is not shown twice.
pub(super) async fn show(ports: CmlPorts<'_>, way: &Way, label: &str, content: Option<&str>) -> Result<(), CmlError> {
    let is_wanted = |notice: &CmlNotice| content.is_some() && notice.content.as_deref() == content;
    let notices = ports.controllers.notices(way.access()).await?;
    let (mut shown, ours) = (false, notices.into_iter().filter(|notice| notice.label.as_deref() == Some(label)));
    for notice in ours {
        if is_wanted(&notice) && !shown {
            shown = true;
            continue;
        }
        match ports.controllers.delete_notice(way.access(), &notice.id).await {
            // Somebody else took it away.
            Err(error) if error.status == Some(404) => {}
            other => other?,
        }
    }
    if let (Some(content), false) = (content, shown) {
        let notice = NoticeChange {
            level: Some(&NoticeLevel::Warning),
            label: Some(label),
            content: Some(content),
            enabled: Some(true),
            groups: Some(&[]),
        };
        ports.controllers.create_notice(way.access(), notice).await?;
    }
    Ok(())
}
