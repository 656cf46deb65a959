//! Text of a rules file to a tree with places: TOML, and JSON of the same shape. All of TOML's
//! errors are told at once; JSON stops at the first, for it gives no place to go on from.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Code, Findings, Source, Spot};
use super::json;
use super::node::{Member, Node, Value};

/// Reads one source. `None` means that errors were found.
pub(super) fn parse(source: &Source, file: u16, found: &mut Findings) -> Option<Node> {
    if u32::try_from(source.text.len()).is_err() {
        found.error(Code::TooMany, None, format!("`{}` is longer than 4 GiB", source.name));
        return None;
    }
    let is_json = source.name.rsplit_once('.').is_some_and(|(_, ext)| ext == "json");
    if is_json { parse_json(source, file, found) } else { parse_toml(source, file, found) }
}

fn parse_json(source: &Source, file: u16, found: &mut Findings) -> Option<Node> {
    match json::read_text(&source.text, file) {
        Ok(node) => Some(node),
        Err(error) => {
            let spot = spot(file, &error.span);
            found.error(Code::Syntax, spot, error.what);
            None
        }
    }
}

fn parse_toml(source: &Source, file: u16, found: &mut Findings) -> Option<Node> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        let spot = error.span().map(|span| spot(file, &span));
        found.error(Code::Syntax, spot, error.message());
    }
    if !errors.is_empty() {
        return None;
    }
    let value = toml_table(table.get_ref(), file, found)?;
    Some(Node { spot: Spot { file, start: 0, end: 0 }, value })
}

/// A table in the order of the text, which the parser's map has lost and the places still tell.
fn toml_table(table: &DeTable<'_>, file: u16, found: &mut Findings) -> Option<Value> {
    let mut members = Vec::with_capacity(table.len());
    for (name, value) in table {
        let node = toml_node(value, file, found)?;
        let name_spot = spot(file, &name.span());
        members.push(Member { name: name.get_ref().to_string(), name_spot, node });
    }
    members.sort_by_key(|member| member.name_spot.start);
    Some(Value::Table(members))
}

fn toml_node(node: &Spanned<DeValue<'_>>, file: u16, found: &mut Findings) -> Option<Node> {
    let spot = spot(file, &node.span());
    let value = match node.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(yes) => Value::Bool(*yes),
        DeValue::Integer(number) => {
            let Ok(number) = i128::from_str_radix(number.as_str(), number.radix()) else {
                found.error(Code::WrongValue, spot, "this integer is too large");
                return None;
            };
            Value::Int(number.to_string().into())
        }
        DeValue::Float(number) => {
            let Ok(number) = number.as_str().parse::<f64>() else {
                found.error(Code::WrongValue, spot, "this number cannot be held");
                return None;
            };
            Value::Float(number)
        }
        DeValue::Datetime(_) => {
            found
                .error(Code::WrongValue, spot, "no field of the rules takes a date")
                .help("write it in quotes if it is meant as text");
            return None;
        }
        DeValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| toml_node(item, file, found)).collect();
            Value::List(items.into_iter().collect::<Option<_>>()?)
        }
        DeValue::Table(table) => toml_table(table, file, found)?,
    };
    Some(Node { spot, value })
}

fn spot(file: u16, span: &std::ops::Range<usize>) -> Spot {
    Spot { file, start: span.start as u32, end: span.end as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str, text: &str) -> Result<Node, Vec<String>> {
        let source = Source { name: name.into(), text: text.into() };
        let mut found = Findings::about(std::slice::from_ref(&source));
        let node = parse(&source, 0, &mut found);
        node.ok_or_else(|| {
            let all = found.into_sorted();
            all.iter()
                .map(|one| {
                    format!(
                        "{:?} {}",
                        one.place.as_ref().map(crate::rules::diagnostic::Place::line_column),
                        one.message
                    )
                })
                .collect()
        })
    }

    fn bare(node: &Node) -> String {
        super::super::canonical::of(node)
    }

    #[test]
    fn toml_and_json_of_one_shape_give_one_tree() {
        let toml = parsed("r.toml", "b = 1\na.x = [true, 0x10]\n[[t]]\ns = 'q'\n[[t]]\nf = 1.5\n");
        let json = parsed("r.json", r#"{"b":1,"a":{"x":[true,16]},"t":[{"s":"q"},{"f":1.5}]}"#);
        assert_eq!(bare(&toml.unwrap()), bare(&json.unwrap()));
    }

    #[test]
    fn members_keep_the_order_of_the_text() {
        let Value::Table(members) = parsed("r.toml", "z = 1\na = 2\nm = 3\n").unwrap().value else {
            panic!("a table")
        };
        let names: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["z", "a", "m"]);
    }

    #[test]
    fn every_toml_error_is_told() {
        let errors = parsed("r.toml", "a = \nb = 1\nb = 2\nc = ]\n").unwrap_err();
        assert!(errors.len() >= 3, "{errors:?}");
        assert!(errors.iter().any(|error| error.contains("(3, 1)")), "{errors:?}");
        let errors = parsed("r.toml", "d = 1979-05-27\n").unwrap_err();
        assert_eq!(errors, ["Some((1, 5)) no field of the rules takes a date"]);
    }

    #[test]
    fn json_errors_have_a_place() {
        let errors = parsed("r.json", "{\n  \"a\": 1,\n  \"a\": 2\n}").unwrap_err();
        assert_eq!(errors, ["Some((3, 3)) `a` stands twice in one object"]);
    }
}
