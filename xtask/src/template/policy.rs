//! A function's permissions: what its ports and its trigger need, and no more.

use app::ports::{FileKind, Queue, Sealed};
use http_api::{Function, Port, Trigger};
use serde_json::{Map, Value, json};

use super::logical;
use super::parameters::queue_arn;
use super::yaml::{absent, attribute, reference, sub, when};

/// Whether a function runs in the VPC, when there is one: only what talks to controllers does.
pub(super) fn in_vpc(function: &Function) -> bool {
    function.ports.contains(&Port::Cml)
}

/// The tag that makes an instance ours.
const OURS: &str = "ccm:managed";

/// One statement of a policy.
#[derive(Clone, PartialEq)]
pub(super) struct Statement {
    pub(super) sid: String,
    pub(super) allow: bool,
    pub(super) actions: Vec<&'static str>,
    pub(super) resources: Vec<Value>,
    pub(super) condition: Option<Value>,
    /// Only there if this condition of the template holds.
    pub(super) only_if: Option<&'static str>,
}

impl Statement {
    fn new(sid: impl Into<String>, actions: &[&'static str], resources: Vec<Value>) -> Self {
        let actions = actions.to_vec();
        Self { sid: sid.into(), allow: true, actions, resources, condition: None, only_if: None }
    }

    pub(super) fn condition(mut self, condition: Value) -> Self {
        self.condition = Some(condition);
        self
    }

    fn only_if(mut self, condition: &'static str) -> Self {
        self.only_if = Some(condition);
        self
    }

    fn deny(mut self) -> Self {
        self.allow = false;
        self
    }

    /// As it stands in the template.
    pub(super) fn json(&self) -> Value {
        // A split is a list already.
        let resources: Value = match &self.resources[..] {
            [list] if list.get("Fn::Split").is_some() => list.clone(),
            all => all.into(),
        };
        let mut statement = Map::from_iter([
            ("Sid".to_owned(), self.sid.as_str().into()),
            ("Effect".to_owned(), if self.allow { "Allow" } else { "Deny" }.into()),
            ("Action".to_owned(), self.actions.clone().into()),
            ("Resource".to_owned(), resources),
        ]);
        if let Some(condition) = &self.condition {
            statement.insert("Condition".into(), condition.clone());
        }
        match self.only_if {
            Some(condition) => when(condition, statement.into(), absent()),
            None => statement.into(),
        }
    }
}

/// All statements of a function.
pub(super) fn statements(function: &Function) -> Vec<Statement> {
    let mut statements = own_log_and_traces(function);
    match function.trigger {
        Trigger::Queue { queue, .. } => {
            let actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
            statements.push(Statement::new("Consume", &actions, vec![reference(&queue_arn(queue))]));
        }
        Trigger::Stream { .. } => statements.extend(table_stream().into_iter().chain([give_up()])),
        Trigger::Ec2StateChange => statements.push(give_up()),
        Trigger::Http(_) | Trigger::Schedule { .. } => {}
    }
    for port in function.ports {
        match port {
            Port::TableRead => statements.extend(table_read()),
            Port::TableWrite => statements.push(Statement::new(
                "TableWrite",
                // A transaction needs what its parts need.
                &["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"],
                vec![reference("TableArn")],
            )),
            Port::Send(queue) => statements.push(send(*queue)),
            Port::Publish => {
                statements.push(Statement::new("Publish", &["events:PutEvents"], vec![reference("EventBusArn")]));
            }
            Port::Ec2Read | Port::Ec2Write | Port::Ec2Import | Port::Ec2Console | Port::CloudWatch => {
                statements.extend(on_workers(*port));
            }
            Port::SecretsRead | Port::SecretsWrite | Port::TokensUse | Port::TokensWrite => {
                statements.push(on_secrets(*port));
            }
            Port::FilesRead(kind) => statements.push(on_files("Read", &["s3:GetObject"], *kind)),
            Port::FilesWrite(kind) => statements.push(on_files("Keep", &["s3:PutObject"], *kind)),
            Port::FilesDelete(kind) => statements.push(on_files("Delete", &["s3:DeleteObject"], *kind)),
            Port::CredentialUse => statements.push(
                Statement::new("NoteCredentialUse", &["dynamodb:PutItem"], vec![reference("TableArn")])
                    .condition(json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["USE#*"] } })),
            ),
            Port::Seal(what) => statements.push(sealing("Seal", "kms:GenerateDataKey", *what)),
            Port::Unseal(what) => statements.push(sealing("Unseal", "kms:Decrypt", *what)),
            // Neither is AWS: the issuer is asked over the internet, a controller over the network.
            Port::Issuer | Port::SignIn | Port::Cml => {}
        }
    }
    if function.ports.iter().any(|port| matches!(port, Port::FilesRead(_))) {
        // Without it a file that is not there is told as one that may not be read.
        statements.push(Statement::new("MissFiles", &["s3:ListBucket"], vec![reference("FilesBucketArn")]));
    }
    if reaches_other_accounts(function) {
        let roles = vec![json!({ "Fn::Split": [",", reference("AccountRoleArns")] })];
        let reach = Statement::new("ReachOtherAccounts", &["sts:AssumeRole"], roles);
        statements.push(reach.only_if("OtherAccountsAreReached"));
    }
    if in_vpc(function) {
        statements.extend(network_interfaces(function));
    }
    statements
}

/// The encryption context says which item it is for (`ccm:item`), and of which kind that is.
fn sealing(sid: &str, action: &'static str, what: Sealed) -> Statement {
    Statement::new(sid, &[action], vec![reference("SealingKeyArn")])
        .condition(json!({ "StringEquals": { "kms:EncryptionContext:ccm:kind": what.kind() } }))
}

/// Whether a function acts in the accounts where workers are.
pub(super) fn reaches_other_accounts(function: &Function) -> bool {
    function.ports.iter().any(|port| !on_workers(*port).is_empty())
}

/// What a port needs in an account where workers are, be it the control plane's own or another.
pub(super) fn on_workers(port: Port) -> Vec<Statement> {
    let everywhere = |sid: &str, actions: &[&'static str]| vec![Statement::new(sid, actions, vec!["*".into()])];
    match port {
        Port::Ec2Read => {
            let actions = ["ec2:DescribeInstances", "ec2:DescribeInstanceStatus", "ec2:DescribeImages"];
            everywhere("Ec2Read", &actions)
        }
        Port::Ec2Write => ec2_write(),
        Port::Ec2Import => vec![ec2_import()],
        Port::Ec2Console => vec![ec2_console()],
        Port::CloudWatch => everywhere("Metrics", &["cloudwatch:GetMetricData"]),
        _ => Vec::new(),
    }
}

fn own_log_and_traces(function: &Function) -> Vec<Statement> {
    let logs = attribute(&format!("{}FunctionLogs", logical(function.name)), "Arn");
    vec![
        // The group's ARN ends in `:*`, which stands for its streams.
        Statement::new("OwnLog", &["logs:CreateLogStream", "logs:PutLogEvents"], vec![logs]),
        Statement::new("Traces", &["xray:PutTraceSegments", "xray:PutTelemetryRecords"], vec!["*".into()]),
    ]
}

fn table_read() -> [Statement; 2] {
    let indexes = ["gsi1", "gsi2"].map(|index| sub(format!("${{TableArn}}/index/{index}")));
    let queried = std::iter::once(reference("TableArn")).chain(indexes).collect();
    [
        Statement::new("TableRead", &["dynamodb:GetItem", "dynamodb:BatchGetItem"], vec![reference("TableArn")]),
        Statement::new("TableQuery", &["dynamodb:Query"], queried),
    ]
}

/// What Lambda needs to deliver the stream, with the function's role.
/// Source: Lambda developer guide, "Using AWS Lambda with Amazon DynamoDB", execution role permissions.
fn table_stream() -> [Statement; 2] {
    let actions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"];
    [
        Statement::new("ReadStream", &actions, vec![reference("TableStreamArn")]),
        // A stream is looked for among all of its table.
        Statement::new("FindStream", &["dynamodb:ListStreams"], vec![sub("${TableArn}/stream/*")]),
    ]
}

/// What a function, or Lambda for it, could not do is kept.
fn give_up() -> Statement {
    Statement::new("GiveUp", &["sqs:SendMessage"], vec![reference("EventsDeadLettersArn")])
}

fn send(queue: Queue) -> Statement {
    Statement::new(format!("SendTo{}", logical(queue.name())), &["sqs:SendMessage"], vec![reference(&queue_arn(queue))])
}

/// Changes in EC2. Everything but a launch needs our tag on the instance, and a launch sets it.
fn ec2_write() -> Vec<Statement> {
    let instances = || vec![ec2("${AWS::AccountId}", "instance/*")];
    let (on_resource, in_request) = (format!("aws:ResourceTag/{OURS}"), format!("aws:RequestTag/{OURS}"));
    let ours = || json!({ "StringEquals": { on_resource.as_str(): "true" } });
    let launched = || vec![ec2("${AWS::AccountId}", "instance/*"), ec2("${AWS::AccountId}", "volume/*")];
    let mut used = vec![ec2("", "image/*")];
    used.extend(["network-interface/*", "security-group/*", "subnet/*"].map(|kind| ec2("${AWS::AccountId}", kind)));
    let power = [
        "ec2:StartInstances",
        "ec2:StopInstances",
        "ec2:TerminateInstances",
        "ec2:MonitorInstances",
        "ec2:UnmonitorInstances",
    ];
    vec![
        Statement::new("ChangeOurs", &power, instances()).condition(ours()),
        // The type and nothing else: among an instance's attributes is the script that it runs as root.
        Statement::new("ResizeOurs", &["ec2:ModifyInstanceAttribute"], instances()).condition(json!({
            "StringEquals": { on_resource.as_str(): "true" },
            "StringEqualsIgnoreCase": { "ec2:Attribute": "InstanceType" },
        })),
        Statement::new("TagOurs", &["ec2:CreateTags"], instances()).condition(ours()),
        // Our marks stay: without them nothing here could reach the instance again.
        Statement::new("UntagOurs", &["ec2:DeleteTags"], instances()).condition(json!({
            "StringEquals": { on_resource.as_str(): "true" },
            "ForAllValues:StringNotEquals": { "aws:TagKeys": [OURS, "ccm:worker-id"] },
            // Without keys, DeleteTags takes off all tags; and what is absent passes "for all values".
            "Null": { "aws:TagKeys": "false" },
        })),
        Statement::new("Launch", &["ec2:RunInstances"], launched())
            .condition(json!({ "StringEquals": { in_request.as_str(): "true" } })),
        Statement::new("LaunchWith", &["ec2:RunInstances"], used),
        Statement::new("TagLaunched", &["ec2:CreateTags"], launched())
            .condition(json!({ "StringEquals": { "ec2:CreateAction": "RunInstances", in_request.as_str(): "true" } })),
        Statement::new("GiveInstanceRole", &["iam:PassRole"], vec![reference("WorkerRoleArn")])
            .condition(json!({ "StringEquals": { "iam:PassedToService": "ec2.amazonaws.com" } }))
            .only_if("RoleCanBePassed"),
    ]
}

/// Our two tags, on an instance that has not got the one that makes it ours, which an operator can
/// forbid. Who may do this may change no instance: together the two would reach every instance there is.
fn ec2_import() -> Statement {
    let (on_resource, in_request) = (format!("aws:ResourceTag/{OURS}"), format!("aws:RequestTag/{OURS}"));
    Statement::new("TagImported", &["ec2:CreateTags"], vec![ec2("${AWS::AccountId}", "instance/*")])
        .condition(json!({
            "StringEquals": { in_request.as_str(): "true" },
            "ForAllValues:StringEquals": { "aws:TagKeys": [OURS, "ccm:worker-id"] },
            "Null": { on_resource.as_str(): "true" },
        }))
        .only_if("ImportIsAllowed")
}

/// What an instance wrote on its console may hold secrets: that of ours, and of no other.
fn ec2_console() -> Statement {
    Statement::new("ReadConsoleOfOurs", &["ec2:GetConsoleOutput"], vec![ec2("${AWS::AccountId}", "instance/*")])
        .condition(json!({ "StringEquals": { format!("aws:ResourceTag/{OURS}"): "true" } }))
}

fn ec2(account: &str, resource: &str) -> Value {
    // Every region: a fleet is spread over them.
    sub(format!("arn:${{AWS::Partition}}:ec2:*:{account}:{resource}"))
}

fn on_files(verb: &str, actions: &[&'static str], kind: FileKind) -> Statement {
    let folder = kind.folder();
    Statement::new(format!("{verb}{}", logical(folder)), actions, vec![sub(format!("${{FilesBucketArn}}/{folder}/*"))])
}

/// Credentials and licence tokens, each kind below a prefix of its own.
fn on_secrets(port: Port) -> Statement {
    let (read, delete) = ("secretsmanager:GetSecretValue", "secretsmanager:DeleteSecret");
    let (put, create) = ("secretsmanager:PutSecretValue", "secretsmanager:CreateSecret");
    let (sid, actions, kind): (_, &[&'static str], _) = match port {
        Port::TokensUse => ("UseTokens", &[read, delete], "license-tokens"),
        Port::TokensWrite => ("KeepTokens", &[put, create, delete], "license-tokens"),
        // What is set already is not written again, and the pair in use until now is kept.
        Port::SecretsWrite => ("SetCredentials", &[read, put, create], "cml-credentials"),
        _ => ("ReadCredentials", &[read], "cml-credentials"),
    };
    let arn = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${Prefix}";
    Statement::new(sid, actions, vec![sub(format!("{arn}/{kind}/*"))])
}

/// Lambda itself places the function in the VPC with the function's role; the function's code may not.
/// Source: Lambda developer guide, "Giving Lambda functions access to resources in an Amazon VPC".
fn network_interfaces(function: &Function) -> [Statement; 2] {
    let actions = [
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    ];
    let itself = sub(format!(
        "arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:${{Prefix}}-{}",
        function.name
    ));
    [
        Statement::new("EnterVpc", &actions, vec!["*".into()]).only_if("InVpc"),
        Statement::new("NotByCode", &actions, vec!["*".into()])
            .condition(json!({ "ArnEquals": { "lambda:SourceFunctionArn": [itself] } }))
            .deny()
            .only_if("InVpc"),
    ]
}
