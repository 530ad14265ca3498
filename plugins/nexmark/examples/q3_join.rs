//! The second operator of query 3, local item suggestion: who of Oregon, Idaho and California sells in category 10, and by which auction.
//!
//! An auction may come before its seller, and waits then.

use nexmark::{Numbers, Row};
use weir_guest::prelude::*;

/// What is kept of a person.
#[derive(States)]
struct Seller {
    /// The first fields of a row; empty: of a state that nobody asks for.
    person: ValueState<Vec<u8>, Raw>,
    /// Ids of auctions that came before.
    waiting: ListState<Numbers<1>, Raw>,
}

struct Join;

impl Operator for Join {
    const NAME: &'static str = "nexmark-q3-join";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[Input::MAIN.by_key()];
    type Config = Empty;
    type States = Seller;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        match Numbers::decode(record.value()) {
            Some(auction) => match ctx.person.get()?.cloned() {
                Some(person) => suggest(&person, auction, ctx),
                None => ctx.waiting.append(&auction)?,
            },
            None => {
                let auctions = ctx.waiting.iter()?.collect::<Result<Vec<_>>>()?;
                auctions.into_iter().for_each(|auction| suggest(record.value(), auction, ctx));
                ctx.waiting.clear()?;
                ctx.person.set(record.value().to_vec())?;
            }
        }
        Ok(())
    }
}

fn suggest(person: &[u8], Numbers([auction]): Numbers<1>, ctx: &mut Context<'_, Join>) {
    if !person.is_empty() {
        ctx.emit_into(|out| Row::on(out, person).number("id", auction).end());
    }
}

weir_guest::export!(Join);
