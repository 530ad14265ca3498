//! Lets every record pass as it came: what a boundary costs when nothing is done behind it.

use weir_guest::prelude::*;

/// The operator.
pub struct PassThrough;

impl Operator for PassThrough {
    const NAME: &'static str = "pass-through";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn process(&mut self, _record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        ctx.pass();
        Ok(())
    }
}

weir_guest::export!(PassThrough);

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing::{TestHost, TestRecord};

    #[test]
    fn records_come_out_as_they_came() {
        let mut host = TestHost::<PassThrough>::open("{}").expect("opens");
        let records =
            [TestRecord::new("a").key("k").at(5), TestRecord::new(""), TestRecord::new("c").key(""), TestRecord::absent().header("h", "1")];
        host.send(&records).expect("passes");
        assert_eq!(host.emitted(), records);
    }
}
