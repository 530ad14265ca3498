//! What other versions of a plugin share: a macro for those of `plugins/dedup`, which are the same but for how long a key is kept.

/// The operator of `plugins/dedup`, exported, whose state says this of its time to live.
#[macro_export]
macro_rules! export_dedup {
    ($(#[state($($ttl:tt)*)])?) => {
        use weir_guest::prelude::*;

        /// What is kept of a key.
        #[derive(States)]
        pub struct Key {
            $(#[state($($ttl)*)])?
            has_passed: ValueState<bool>,
        }

        /// The operator.
        pub struct Dedup;

        impl Operator for Dedup {
            const NAME: &'static str = "dedup";
            const VERSION: &'static str = "2.0.0";
            const INPUTS: &'static [Input] = &[Input::new("in").by_key()];
            type Config = Empty;
            type States = Key;

            fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
                Ok(Self)
            }

            fn process(&mut self, _record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
                if ctx.has_passed.get()?.is_some() {
                    return Ok(());
                }
                ctx.pass();
                ctx.has_passed.set(true)
            }
        }

        weir_guest::export!(Dedup);
    };
}
