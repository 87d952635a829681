//! Topologies that people send: what can be judged of one before CML is asked. CML judges the rest, and its
//! words end the operation.

use domain::Invalid;
use domain::lab::check_title;
use serde_norway::Value;

/// The largest topology, in bytes. API Gateway hands YAML over in base64, and a Lambda event has at most 6 MB:
/// 4 MiB in base64 are 5.6 MB. Source: AWS Lambda quotas, "Invocation payload".
pub const TOPOLOGY_MAX_BYTES: usize = 4 * 1024 * 1024;
/// The most nodes of a topology: about twice what CML's largest licence lets run (20, and 500 bought).
pub const NODES_MAX: usize = 1_000;
/// The most links.
pub const LINKS_MAX: usize = 10_000;
/// Most complaints about one topology.
const COMPLAINTS_MAX: usize = 20;

/// What a topology is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopologyFormat {
    /// YAML, as CML's own files are.
    Yaml,
    /// JSON of the same form.
    Json,
}

impl TopologyFormat {
    fn name(self) -> &'static str {
        match self {
            Self::Yaml => "YAML",
            Self::Json => "JSON",
        }
    }
}

/// What a topology says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopologySummary {
    /// Its own title, as it is: nobody has judged it.
    pub title: Option<String>,
    /// How many nodes it has.
    pub node_count: usize,
    /// How many links.
    pub link_count: usize,
    /// The node definitions it uses, each once, by name.
    pub definitions: Vec<String>,
}

/// What `text` says, if it can be a topology at all.
///
/// # Errors
/// What is wrong, by field: where its syntax breaks, what is missing, what there is too much of.
pub fn judge_topology(text: &str, format: TopologyFormat) -> Result<TopologySummary, Invalid> {
    let mut invalid = Invalid::default();
    if text.len() > TOPOLOGY_MAX_BYTES {
        invalid.push("body", format!("must have at most {TOPOLOGY_MAX_BYTES} bytes"));
        return Err(invalid);
    }
    let topology = parse(text, format)?;
    if !topology.is_mapping() {
        invalid.push("body", "must be a topology: an object with lab, nodes and links");
        return Err(invalid);
    }
    let mut summary = TopologySummary::default();
    match topology.get("lab") {
        Some(lab) if lab.is_mapping() => summary.title = lab.get("title").and_then(Value::as_str).map(str::to_owned),
        Some(_) => invalid.push("lab", "must be an object"),
        None => invalid.push("lab", "is required: what CML shall say of the lab, with its title"),
    }
    match list(&topology, "nodes", NODES_MAX, &mut invalid) {
        Some(nodes) => read_nodes(nodes, &mut summary, &mut invalid),
        None if topology.get("nodes").is_none() => invalid.push("nodes", "is required: the list of nodes"),
        None => {}
    }
    summary.link_count = list(&topology, "links", LINKS_MAX, &mut invalid).map_or(0, Vec::len);
    invalid.0.truncate(COMPLAINTS_MAX);
    invalid.finish(Some(summary))
}

/// A title for the lab: the one wanted, or the topology's own.
///
/// # Errors
/// The title, whoever gave it, is none that CML takes.
pub fn judge_title(wanted: Option<String>, topology: &TopologySummary) -> Result<Option<String>, Invalid> {
    let (field, title) = match (wanted, &topology.title) {
        (Some(title), _) => ("title", title),
        (None, Some(title)) => ("lab.title", title.clone()),
        (None, None) => return Ok(None),
    };
    let mut invalid = Invalid::default();
    check_title(&title, &mut invalid);
    for complaint in &mut invalid.0 {
        field.clone_into(&mut complaint.field);
    }
    invalid.finish(Some(Some(title)))
}

fn parse(text: &str, format: TopologyFormat) -> Result<Value, Invalid> {
    let (place, why) = match format {
        TopologyFormat::Yaml => match serde_norway::from_str(text) {
            Ok(value) => return Ok(value),
            Err(error) => (error.location().map(|at| (at.line(), at.column())), error.to_string()),
        },
        TopologyFormat::Json => match serde_json::from_str(text) {
            Ok(value) => return Ok(value),
            Err(error) => (Some((error.line(), error.column())), error.to_string()),
        },
    };
    // The parsers end with the place; ours is the same in both.
    let why = why.split(" at line ").next().unwrap_or_default();
    let place = place.map(|(line, column)| format!(" in line {line}, column {column}")).unwrap_or_default();
    let mut invalid = Invalid::default();
    invalid.push("body", format!("is no {}{place}: {why}", format.name()));
    Err(invalid)
}

fn list<'a>(topology: &'a Value, field: &str, most: usize, invalid: &mut Invalid) -> Option<&'a Vec<Value>> {
    let value = topology.get(field)?;
    let list = value.as_sequence();
    match list {
        None => invalid.push(field, "must be a list"),
        Some(list) if list.len() > most => {
            invalid.push(field, format!("must be at most {most}; there are {}", list.len()));
        }
        Some(_) => {}
    }
    list
}

fn read_nodes(nodes: &[Value], summary: &mut TopologySummary, invalid: &mut Invalid) {
    summary.node_count = nodes.len();
    for (number, node) in nodes.iter().enumerate().take(NODES_MAX) {
        match node.get("node_definition").and_then(Value::as_str).filter(|name| !name.is_empty()) {
            Some(name) => summary.definitions.push(name.to_owned()),
            None if invalid.0.len() < COMPLAINTS_MAX => {
                invalid.push(format!("nodes[{number}].node_definition"), "is required: the kind of node, such as iosv");
            }
            None => {}
        }
    }
    summary.definitions.sort_unstable();
    summary.definitions.dedup();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TWO: &str = "\
lab:
  title: Two routers
  version: 0.3.0
nodes:
  - {id: n0, label: r1, node_definition: iosv}
  - {id: n1, label: pc, node_definition: alpine}
links:
  - {id: l0, n1: n0, i1: i0, n2: n1, i2: i0}
";

    fn yaml(text: &str) -> Result<TopologySummary, Invalid> {
        judge_topology(text, TopologyFormat::Yaml)
    }

    fn wrong(text: &str, format: TopologyFormat) -> String {
        judge_topology(text, format).expect_err(text).to_string()
    }

    #[test]
    fn a_topology_says_what_it_is_in_yaml_and_in_json() {
        let summary = TopologySummary {
            title: Some("Two routers".into()),
            node_count: 2,
            link_count: 1,
            definitions: vec!["alpine".into(), "iosv".into()],
        };
        assert_eq!(yaml(TWO), Ok(summary.clone()));
        let value: serde_json::Value = serde_norway::from_str(TWO).unwrap();
        // Tabs are no YAML, and JSON may have them.
        let json = serde_json::to_string_pretty(&value).unwrap().replace("  ", "\t");
        assert_eq!(judge_topology(&json, TopologyFormat::Json), Ok(summary));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, format, said) in [
            ("lab: [", TopologyFormat::Yaml, "body is no YAML in line 2, column 1: "),
            ("{\"lab\": }", TopologyFormat::Json, "body is no JSON in line 1, column 9: expected value"),
            ("- a", TopologyFormat::Yaml, "body must be a topology: an object with lab, nodes and links"),
            ("", TopologyFormat::Yaml, "body must be a topology"),
            ("lab: {}", TopologyFormat::Yaml, "nodes is required: the list of nodes"),
            ("nodes: []", TopologyFormat::Yaml, "lab is required"),
            ("lab: x\nnodes: 7", TopologyFormat::Yaml, "lab must be an object; nodes must be a list"),
            ("lab: {}\nnodes: []\nlinks: {}", TopologyFormat::Yaml, "links must be a list"),
            ("lab: {}\nnodes: [{}, 7]", TopologyFormat::Yaml, "nodes[0].node_definition is required"),
        ] {
            let message = wrong(text, format);
            assert!(message.starts_with(said), "{text:?}: {message}");
        }
        let many = format!("lab: {{}}\nnodes: [{}]", "{node_definition: a},".repeat(NODES_MAX + 1));
        assert_eq!(wrong(&many, TopologyFormat::Yaml), "nodes must be at most 1000; there are 1001");
        assert!(wrong(&" ".repeat(TOPOLOGY_MAX_BYTES + 1), TopologyFormat::Yaml).contains("4194304 bytes"));
    }

    #[test]
    fn a_title_is_the_one_wanted_or_the_topologys_own() {
        let of = |title: &str| TopologySummary { title: Some(title.into()), ..TopologySummary::default() };
        assert_eq!(judge_title(Some("a".into()), &of("b")), Ok(Some("a".into())));
        assert_eq!(judge_title(None, &of("b")), Ok(Some("b".into())));
        assert_eq!(judge_title(None, &TopologySummary::default()), Ok(None));
        let field = |wanted: Option<&str>, own: &str| {
            judge_title(wanted.map(str::to_owned), &of(own)).unwrap_err().0.remove(0).field
        };
        assert_eq!(field(None, &"x".repeat(65)), "lab.title");
        assert_eq!(field(Some(""), "b"), "title");
    }

    #[test]
    fn aliases_that_grow_without_end_are_refused() {
        let mut bomb = "lab: {}\na0: &a0 [x]\n".to_owned();
        for level in 1..40 {
            bomb += &format!("a{level}: &a{level} [*a{0}, *a{0}, *a{0}, *a{0}]\n", level - 1);
        }
        assert!(wrong(&bomb, TopologyFormat::Yaml).contains("repetition limit"));
    }

    proptest! {
        #[test]
        fn any_text_gives_a_judgement(text in "\\PC{0,200}") {
            let _ = judge_topology(&text, TopologyFormat::Yaml);
            let _ = judge_topology(&text, TopologyFormat::Json);
        }

        #[test]
        fn anything_like_a_topology_gives_one(text in "[\\[\\]{}:,\\-&*!|>\"'a-c0-9 \t\n#?%@]{0,120}", cut in 0_usize..200) {
            let _ = judge_topology(&text, TopologyFormat::Yaml);
            let mut cut = cut.min(TWO.len());
            while !TWO.is_char_boundary(cut) { cut -= 1; }
            let _ = judge_topology(&format!("{}{text}{}", &TWO[..cut], &TWO[cut..]), TopologyFormat::Yaml);
        }

        #[test]
        fn every_topology_that_is_taken_is_within_the_limits(nodes in 0_usize..1_100, links in 0_usize..5) {
            let text = format!(
                "lab: {{}}\nnodes: [{}]\nlinks: [{}]", "{node_definition: a},".repeat(nodes), "{},".repeat(links)
            );
            match yaml(&text) {
                Ok(summary) => prop_assert!(summary.node_count == nodes && nodes <= NODES_MAX && summary.link_count == links),
                Err(_) => prop_assert!(nodes > NODES_MAX),
            }
        }
    }
}
