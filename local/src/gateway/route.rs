//! Which endpoint a request is for.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Match<T> {
    /// This endpoint, with these decoded path parameters.
    Found(T, BTreeMap<String, String>),
    /// The path exists, for these methods only.
    OtherMethods(Vec<&'static str>),
    /// No such path.
    Nowhere,
}

/// Finds the endpoint among `(method, path, what)`. Where several paths fit, the one that is static
/// earlier wins, as in API Gateway: `/workers/import` before `/workers/{worker_id}`, and that before `/{path+}`,
/// which takes all that is left.
pub(crate) fn find<T: Copy>(
    routes: impl IntoIterator<Item = (&'static str, &'static str, T)>,
    method: &str,
    path: &str,
) -> Match<T> {
    let mut fitting: Vec<_> = routes
        .into_iter()
        .filter_map(|(its_method, pattern, what)| {
            parameters(pattern, path).map(|parameters| (variable_segments(pattern), its_method, what, parameters))
        })
        .collect();
    fitting.sort_by(|a, b| a.0.cmp(&b.0));
    if let Some(at) = fitting.iter().position(|(_, its_method, ..)| *its_method == method) {
        let (_, _, what, parameters) = fitting.swap_remove(at);
        return Match::Found(what, parameters);
    }
    let mut methods: Vec<_> = fitting.into_iter().map(|(_, its_method, ..)| its_method).collect();
    methods.sort_unstable();
    methods.dedup();
    if methods.is_empty() { Match::Nowhere } else { Match::OtherMethods(methods) }
}

/// How much each segment takes: itself, any one, or all that follow; what takes less sorts first.
fn variable_segments(pattern: &str) -> Vec<u8> {
    let takes = |segment: &str| u8::from(segment.starts_with('{')) + u8::from(segment.ends_with("+}"));
    pattern.split('/').map(takes).collect()
}

/// The parameters of the path, if the pattern fits it.
fn parameters(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let wanted: Vec<_> = pattern.split('/').collect();
    let greedy = wanted.last().is_some_and(|last| last.ends_with("+}"));
    let given: Vec<_> = path.splitn(if greedy { wanted.len() } else { usize::MAX }, '/').collect();
    if wanted.len() != given.len() {
        return None;
    }
    let mut parameters = BTreeMap::new();
    for (wanted, given) in wanted.into_iter().zip(given) {
        match wanted.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
            Some(_) if given.is_empty() => return None,
            Some(name) => {
                let value = percent_decode_str(given).decode_utf8_lossy().into_owned();
                parameters.insert(name.trim_end_matches('+').to_owned(), value);
            }
            None if wanted == given => {}
            None => return None,
        }
    }
    Some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: [(&str, &str, u8); 6] = [
        ("GET", "/api/workers", 1),
        ("GET", "/api/workers/{worker_id}", 2),
        ("DELETE", "/api/workers/{worker_id}", 3),
        ("POST", "/api/workers/import", 4),
        ("POST", "/api/workers/{worker_id}/start", 5),
        ("GET", "/api/workers/{worker_id}/cml/{path+}", 6),
    ];

    fn found(method: &str, path: &str) -> Option<(u8, Vec<(String, String)>)> {
        match find(ROUTES, method, path) {
            Match::Found(what, parameters) => Some((what, parameters.into_iter().collect())),
            _ => None,
        }
    }

    #[test]
    fn a_static_segment_wins_over_a_parameter_and_parameters_are_decoded() {
        assert_eq!(found("POST", "/api/workers/import").unwrap().0, 4);
        let (what, parameters) = found("GET", "/api/workers/a%2Fb%20c").unwrap();
        assert_eq!((what, parameters), (2, vec![("worker_id".to_owned(), "a/b c".to_owned())]));
        assert_eq!(found("POST", "/api/workers/wkr-1/start").unwrap().0, 5);
    }

    #[test]
    fn a_greedy_parameter_takes_the_rest_which_is_something() {
        let path = |path: &str| found("GET", path).map(|(what, mut parameters)| (what, parameters.remove(0).1));
        assert_eq!(path("/api/workers/w/cml/labs"), Some((6, "labs".into())));
        assert_eq!(path("/api/workers/w/cml/labs/a%2Fb/nodes/"), Some((6, "labs/a/b/nodes/".into())));
        for nowhere in ["/api/workers/w/cml", "/api/workers/w/cml/", "/api/workers//cml/labs"] {
            assert_eq!(find(ROUTES, "GET", nowhere), Match::Nowhere, "{nowhere}");
        }
    }

    #[test]
    fn a_known_path_with_another_method_tells_which_ones_there_are() {
        assert_eq!(find(ROUTES, "PATCH", "/api/workers/wkr-1"), Match::OtherMethods(vec!["DELETE", "GET"]));
        // The static path does not take GET, but the parameter's does.
        assert_eq!(found("GET", "/api/workers/import").unwrap().0, 2);
    }

    #[test]
    fn an_unknown_path_an_empty_parameter_and_a_trailing_slash_lead_nowhere() {
        for path in ["/", "/api", "/api/workers/", "/api/workers/a/b", "/api/workers/a/start/"] {
            assert_eq!(find(ROUTES, "GET", path), Match::Nowhere, "{path}");
        }
    }
}
