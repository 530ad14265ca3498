//! The second operator of query 8, monitor new users: who came and put something up for auction within the same window.

use nexmark::{Numbers, Row};
use weir_guest::prelude::*;

const PEOPLE: Input = Input::new("people").by_key();
const AUCTIONS: Input = Input::new("auctions").by_key();

/// What is kept of a person in a window.
#[derive(States)]
struct User {
    /// Of one who is new.
    name: ValueState<Vec<u8>, Raw>,
    /// Of one who sells.
    sells: ValueState<[u8; 0], Raw>,
}

struct NewUsers;

impl Operator for NewUsers {
    const NAME: &'static str = "nexmark-q8";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[PEOPLE, AUCTIONS];
    const WINDOWED: bool = true;
    type Config = Empty;
    type States = User;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        match record.input() {
            PEOPLE => ctx.name.set(record.value().to_vec()),
            _ => ctx.sells.set([]),
        }
    }

    fn on_window(&mut self, firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let (Some(Window { start, .. }), Some(Numbers([id]))) = (firing.window(), Numbers::decode(firing.key())) else {
            bail!("query 8 looks at people in windows with bounds");
        };
        if ctx.sells.get()?.is_none() {
            return Ok(());
        }
        let Some(name) = ctx.name.get()?.cloned() else { return Ok(()) };
        ctx.emit_into(|out| Row::new(out).number("id", id).text("name", &name).time("stime", start).end());
        Ok(())
    }
}

weir_guest::export!(NewUsers);
