//! Cuts one JSON array into its elements while it arrives, so that a feed of any length needs the
//! memory of one element.

/// What is longer is not kept; it is handed on as an empty element, which no one can parse.
const ELEMENT_BYTES: usize = 64 * 1024;

/// The bytes are not one JSON array.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAnArray;

#[derive(Default)]
enum State {
    /// Nothing but white space so far.
    #[default]
    Before,
    /// Between the brackets.
    Inside,
    /// After the closing bracket.
    After,
}

/// Follows strings, escapes and depth, and nothing else: whether an element is good JSON is for
/// whoever parses it.
#[derive(Default)]
pub(crate) struct Splitter {
    state: State,
    depth: usize,
    in_string: bool,
    escaped: bool,
    element: Vec<u8>,
    too_long: bool,
    any: bool,
}

impl Splitter {
    /// Takes the next bytes; `emit` gets every element that ends in them.
    pub(crate) fn push(&mut self, chunk: &[u8], mut emit: impl FnMut(&[u8])) -> Result<(), NotAnArray> {
        for &byte in chunk {
            match self.state {
                State::Inside => self.inside(byte, &mut emit)?,
                _ if byte.is_ascii_whitespace() => {}
                State::Before if byte == b'[' => self.state = State::Inside,
                State::Before | State::After => return Err(NotAnArray),
            }
        }
        Ok(())
    }

    /// The array must have ended.
    pub(crate) fn finish(&self) -> Result<(), NotAnArray> {
        if matches!(self.state, State::After) { Ok(()) } else { Err(NotAnArray) }
    }

    fn inside(&mut self, byte: u8, emit: &mut impl FnMut(&[u8])) -> Result<(), NotAnArray> {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            self.keep(byte);
            return Ok(());
        }
        match byte {
            b',' if self.depth == 0 => {
                self.end_element(emit);
                self.any = true;
            }
            b']' if self.depth == 0 => {
                // `[]` has no element; after a comma there should be one.
                if self.any || self.too_long || !self.element.trim_ascii().is_empty() {
                    self.end_element(emit);
                }
                self.state = State::After;
            }
            b'}' if self.depth == 0 => return Err(NotAnArray),
            _ => {
                match byte {
                    b'"' => self.in_string = true,
                    b'[' | b'{' => self.depth += 1,
                    b']' | b'}' => self.depth -= 1,
                    _ => {}
                }
                self.keep(byte);
            }
        }
        Ok(())
    }

    fn keep(&mut self, byte: u8) {
        if self.element.len() < ELEMENT_BYTES {
            self.element.push(byte);
        } else {
            self.too_long = true;
        }
    }

    fn end_element(&mut self, emit: &mut impl FnMut(&[u8])) {
        emit(if self.too_long { &[] } else { &self.element });
        self.element.clear();
        self.too_long = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn split(bytes: &[u8], sizes: &[usize]) -> Result<Vec<Vec<u8>>, NotAnArray> {
        let (mut splitter, mut elements, mut rest) = (Splitter::default(), Vec::new(), bytes);
        for size in sizes.iter().copied().cycle().take(bytes.len() + 1) {
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            splitter.push(chunk, |element| elements.push(element.to_vec()))?;
            rest = after;
        }
        splitter.finish()?;
        Ok(elements)
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[\\[\\]{}\",\\\\ a-zé\n]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[\\]},\"\\\\a-c]{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_chunking_of_an_array_gives_its_elements(
            elements in prop::collection::vec(any_json(), 0..6),
            sizes in prop::collection::vec(1_usize..9, 1..6),
            pretty in any::<bool>(),
        ) {
            let array = Value::from(elements.clone());
            let bytes = if pretty { serde_json::to_vec_pretty(&array) } else { serde_json::to_vec(&array) }.unwrap();
            let parsed: Vec<Value> =
                split(&bytes, &sizes).unwrap().iter().map(|element| serde_json::from_slice(element).unwrap()).collect();
            prop_assert_eq!(parsed, elements);
        }

        #[test]
        fn any_bytes_whatever_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = split(&bytes, &[7]);
            let _ = split(&[b"[", bytes.as_slice()].concat(), &[7]);
        }
    }

    #[test]
    fn what_is_no_whole_array_is_told() {
        for bad in ["", "  ", "{}", "null", "[", "[1", "[1,", "[\"]", "[1]]", "[1] x", "[1}]", "<html>"] {
            assert_eq!(split(bad.as_bytes(), &[3]), Err(NotAnArray), "{bad}");
        }
        assert_eq!(split(b" [ ] ", &[1]), Ok(Vec::new()));
    }

    #[test]
    fn an_element_too_long_is_emptied_and_the_next_is_whole() {
        let bytes = json!(["x".repeat(ELEMENT_BYTES), 1]).to_string();
        assert_eq!(split(bytes.as_bytes(), &[4_096]), Ok(vec![Vec::new(), b"1".to_vec()]));
    }
}
