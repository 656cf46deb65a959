//! x
use super::diagnostic::Findings;
use super::document::TestTable;
use super::read::At;
use super::values::TtlText;
use crate::policy::law::Ttl;

/// A test.
#[derive(Clone, Debug)]
pub struct TestCase;

impl TestCase {
    pub(super) fn read(
        _: &At<TestTable>,
        _: &dyn Fn(&TtlText) -> Option<Ttl>,
        _: &mut Findings,
    ) -> Option<Self> {
        None
    }
}
