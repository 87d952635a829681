//! The comparisons, put to the test: whatever one thing is taken away, they name it.

use serde_json::Value;

use super::differences;
use super::repository::Repository;

const WORKERS: &str = "infra/functions/workers.yaml";
const DATA: &str = "infra/data.yaml";

/// Takes something away, and looks for a new difference that has all these words.
fn named(words: &[&str], take: impl FnOnce(&mut Repository)) {
    let whole = Repository::committed();
    let mut broken = whole.clone();
    take(&mut broken);
    assert!(whole.files != broken.files, "nothing was taken away");
    let before = differences(&whole);
    let new: Vec<String> = differences(&broken).into_iter().filter(|it| !before.contains(it)).collect();
    assert!(new.iter().any(|it| words.iter().all(|word| it.contains(word))), "{words:?} in {new:#?}");
}

fn edit(repository: &mut Repository, path: &str, with: impl FnOnce(&str) -> String) {
    let text = repository.files.get_mut(path).unwrap_or_else(|| panic!("there is no {path}"));
    *text = with(text);
}

/// The text without the resource `id` of a template.
fn without_resource(text: &str, id: &str) -> String {
    let (before, block, after) = resource(text, id);
    assert!(block.lines().count() > 1);
    format!("{before}{after}")
}

/// What is before the resource, itself, and what is behind it.
fn resource<'a>(text: &'a str, id: &str) -> (&'a str, &'a str, &'a str) {
    let begin = text.find(&format!("\n  {id}:\n")).unwrap_or_else(|| panic!("there is no {id}")) + 1;
    let mut end = begin;
    for (n, line) in text[begin..].split_inclusive('\n').enumerate() {
        if n > 0 && !line.starts_with("   ") && !line.trim().is_empty() {
            break;
        }
        end += line.len();
    }
    (&text[..begin], &text[begin..end], &text[end..])
}

/// The text without its first line that is this one, whatever its indentation.
fn without_line(text: &str, line: &str) -> String {
    let mut gone = false;
    let keep = |it: &&str| {
        let first = !gone && it.trim() == line;
        gone |= first;
        !first
    };
    text.split_inclusive('\n').filter(keep).collect()
}

#[test]
fn a_route() {
    named(&["start-worker", "no route \"POST /api/workers/{worker_id}/start\""], |repository| {
        edit(repository, WORKERS, |text| without_resource(text, "StartWorkerFunctionRoute"));
    });
}

#[test]
fn api_gateways_permission() {
    named(&["start-worker", "API Gateway has no permission", "/start"], |repository| {
        edit(repository, WORKERS, |text| without_resource(text, "StartWorkerFunctionPermission"));
    });
}

#[test]
fn a_handler_name() {
    named(&["start-worker: no template has a function with this Handler"], |repository| {
        edit(repository, WORKERS, |text| without_line(text, "Handler: start-worker"));
    });
    named(&["\"start-workers\", which is no function"], |repository| {
        edit(repository, WORKERS, |text| text.replace("Handler: start-worker\n", "Handler: start-workers\n"));
    });
}

#[test]
fn an_action_of_a_role() {
    named(&["start-worker: lacks dynamodb:BatchGetItem"], |repository| {
        edit(repository, WORKERS, |text| {
            let (before, role, after) = resource(text, "StartWorkerFunctionRole");
            format!("{before}{}{after}", without_line(role, "- dynamodb:BatchGetItem"))
        });
    });
}

#[test]
fn a_whole_role() {
    named(&["start-worker: lacks sqs:SendMessage"], |repository| {
        edit(repository, WORKERS, |text| without_resource(text, "StartWorkerFunctionRole"));
    });
}

#[test]
fn an_action_or_a_condition_of_the_role_in_other_accounts() {
    const ROLE: &str = "infra/account-role.yaml";
    named(&[ROLE, "run-operation lacks ec2:StopInstances"], |repository| {
        edit(repository, ROLE, |text| without_line(text, "- ec2:StopInstances"));
    });
    named(&[ROLE, "does not let in collect-aws"], |repository| {
        edit(repository, ROLE, |text| without_line(text, "- !Sub ccm-${HomeAccount}-collect-aws"));
    });
    named(&[ROLE, "without the external id"], |repository| {
        edit(repository, ROLE, |text| without_line(text, "sts:ExternalId: !Ref ExternalId"));
    });
    named(&[ROLE, "run-import", "may make instances ours, and also"], |repository| {
        edit(repository, ROLE, |text| {
            text.replace("'*:ccm-${HomeAccount}-run-operation'", "'*:ccm-${HomeAccount}-run-import'")
        });
    });
}

#[test]
fn the_written_reason_of_a_star() {
    named(&["infra/iam-reasons.yaml", "xray:PutTraceSegments"], |repository| {
        edit(repository, "infra/iam-reasons.yaml", |text| {
            text.lines().filter(|line| !line.starts_with("xray:PutTraceSegments")).collect::<Vec<_>>().join("\n")
        });
    });
}

#[test]
fn a_queue() {
    named(&["there is no PowerQueue"], |repository| {
        edit(repository, DATA, |text| without_resource(text, "PowerQueue"));
    });
}

#[test]
fn a_dead_letter_queue() {
    named(&["PowerQueue has no dead-letter queue"], |repository| {
        edit(repository, DATA, |text| without_resource(text, "PowerDeadLetters"));
    });
}

#[test]
fn the_queue_of_undelivered_events() {
    named(&["EventsDeadLetters is missing"], |repository| {
        edit(repository, DATA, |text| without_resource(text, "EventsDeadLetters"));
    });
}

#[test]
fn the_policy_that_lets_undelivered_events_in() {
    named(&["no policy lets EventBridge send to EventsDeadLetters"], |repository| {
        edit(repository, DATA, |text| without_resource(text, "EventsDeadLettersPolicy"));
    });
}

#[test]
fn the_alarm_on_dead_letters() {
    named(&["no alarm watches PowerDeadLetters"], |repository| {
        edit(repository, DATA, |text| without_resource(text, "PowerDeadLettersAlarm"));
    });
}

#[test]
fn a_consumers_queue() {
    named(&["run-operation", "nothing delivers the queue operations to it"], |repository| {
        edit(repository, "infra/functions/fleet.yaml", |text| without_resource(text, "RunOperationFunctionMapping"));
    });
}

#[test]
fn a_schedule() {
    named(&["dispatch-power", "IdleShutdownSchedule"], |repository| {
        edit(repository, "infra/functions/dispatch.yaml", |text| without_resource(text, "IdleShutdownSchedule"));
    });
}

#[test]
fn a_variable_of_a_function() {
    named(&["start-worker: the template does not set QUEUE_URL_OPERATIONS"], |repository| {
        edit(repository, WORKERS, |text| {
            let (before, function, after) = resource(text, "StartWorkerFunction");
            format!("{before}{}{after}", without_line(function, "QUEUE_URL_OPERATIONS: !Ref OperationsQueueUrl"))
        });
    });
}

#[test]
fn an_entry_of_the_example_environment() {
    named(&["start-worker: events/environment.json lacks QUEUE_URL_OPERATIONS"], |repository| {
        edit(repository, "events/environment.json", |text| {
            let mut all: Value = serde_json::from_str(text).unwrap();
            all.as_object_mut().unwrap().remove("start-worker");
            all.to_string()
        });
    });
}

#[test]
fn a_stack() {
    named(&["workers.yaml: no stack of the root deploys it"], |repository| {
        edit(repository, "template.yaml", |text| without_resource(text, "WorkersFunctions"));
    });
}

#[test]
fn a_fixture() {
    named(&["start-worker: there is no events/start-worker.json"], |repository| {
        repository.files.remove("events/start-worker.json");
    });
}

#[test]
fn a_line_of_the_documentation() {
    for path in ["docs/API.md", "docs/DEPLOYMENT.md", "docs/IAM.md"] {
        named(&["start-worker", path], |repository| {
            edit(repository, path, |text| {
                text.split_inclusive('\n').filter(|line| !line.starts_with("| start-worker |")).collect()
            });
        });
    }
}

#[test]
fn a_row_of_the_function_table() {
    named(&["start-worker: shared/http/src/table/workers.rs has no row"], |repository| {
        edit(repository, "shared/http/src/table/workers.rs", |text| without_line(text, "\"start-worker\","));
    });
}

#[test]
fn the_code_of_an_endpoint() {
    named(&["start-worker: there is no shared/http/src/endpoints/start_worker.rs"], |repository| {
        repository.files.remove("shared/http/src/endpoints/start_worker.rs");
    });
    named(&["shared/http/src/endpoints/mod.rs does not have start_worker.rs"], |repository| {
        edit(repository, "shared/http/src/endpoints/mod.rs", |text| without_line(text, "pub(crate) mod start_worker;"));
    });
}
