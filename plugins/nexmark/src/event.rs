//! Events out of their bytes, borrowed: numbers at once, texts where they are asked for.
//!
//! Invariant: no byte is believed. What is too short, or has another tag, is an error that says so.

use weir_guest::Error;

const AUCTION_HEAD: usize = 9 + 8 * 6;
const BID_HEAD: usize = 9 + 8 * 3;

/// What happens at the auction house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Someone is new.
    Person(Person<'a>),
    /// Something is put up for auction.
    Auction(Auction<'a>),
    /// Someone bids.
    Bid(Bid<'a>),
}

impl<'a> Event<'a> {
    /// The event of these bytes.
    #[inline]
    pub fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        match bytes.first() {
            Some(&Person::TAG) => Person::read(bytes).map(Self::Person),
            Some(&Auction::TAG) => Auction::read(bytes).map(Self::Auction),
            Some(&Bid::TAG) => Bid::read(bytes).map(Self::Bid),
            _ => Err(unknown(bytes)),
        }
    }
}

/// A person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person<'a> {
    /// When it happened, ms since the Unix epoch.
    pub time: i64,
    /// Its number.
    pub id: u64,
    texts: Texts<'a>,
}

/// The texts of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are what they are called")]
pub struct PersonTexts<'a> {
    pub name: &'a [u8],
    pub email: &'a [u8],
    pub credit_card: &'a [u8],
    pub city: &'a [u8],
    pub state: &'a [u8],
    pub extra: &'a [u8],
}

impl<'a> Person<'a> {
    const TAG: u8 = 0;

    #[inline]
    fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let (time, [id], texts) = numbers::<17, 1>(bytes, "person")?;
        Ok(Self { time, id, texts })
    }

    /// Its texts.
    pub fn texts(&self) -> Result<PersonTexts<'a>, Error> {
        let [name, email, credit_card, city, state, extra] = self.texts.all("person")?;
        Ok(PersonTexts { name, email, credit_card, city, state, extra })
    }
}

/// An auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auction<'a> {
    /// When it began, ms since the Unix epoch.
    pub time: i64,
    /// Its number.
    pub id: u64,
    /// What the first bid has to be, in cents.
    pub initial_bid: u64,
    /// Below that price it is not sold.
    pub reserve: u64,
    /// When it ends, ms since the Unix epoch.
    pub expires: i64,
    /// Who sells.
    pub seller: u64,
    /// Of which kind the item is.
    pub category: u64,
    texts: Texts<'a>,
}

/// The texts of an auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are what they are called")]
pub struct AuctionTexts<'a> {
    pub item_name: &'a [u8],
    pub description: &'a [u8],
    pub extra: &'a [u8],
}

impl<'a> Auction<'a> {
    const TAG: u8 = 1;
    /// Bytes in front of the texts; they alone are an auction whose texts must not be asked for.
    pub const HEAD: usize = AUCTION_HEAD;

    /// The auction of these bytes; another event is an error.
    #[inline]
    pub fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.first() != Some(&Self::TAG) {
            return Err(unknown(bytes));
        }
        let (time, [id, initial_bid, reserve, expires, seller, category], texts) = numbers::<AUCTION_HEAD, 6>(bytes, "auction")?;
        Ok(Self { time, id, initial_bid, reserve, expires: expires as i64, seller, category, texts })
    }

    /// Its texts.
    pub fn texts(&self) -> Result<AuctionTexts<'a>, Error> {
        let [item_name, description, extra] = self.texts.all("auction")?;
        Ok(AuctionTexts { item_name, description, extra })
    }
}

/// A bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bid<'a> {
    /// When it was made, ms since the Unix epoch.
    pub time: i64,
    /// For which auction.
    pub auction: u64,
    /// By whom.
    pub bidder: u64,
    /// In cents.
    pub price: u64,
    texts: Texts<'a>,
}

/// The texts of a bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are what they are called")]
pub struct BidTexts<'a> {
    pub channel: &'a [u8],
    pub url: &'a [u8],
    pub extra: &'a [u8],
}

impl<'a> Bid<'a> {
    const TAG: u8 = 2;
    /// Bytes in front of the texts. They alone are a bid too, one whose texts must not be asked for: what is sent on where nobody does.
    pub const HEAD: usize = BID_HEAD;

    /// The bid of these bytes; another event is an error.
    #[inline]
    pub fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.first() != Some(&Self::TAG) {
            return Err(unknown(bytes));
        }
        let (time, [auction, bidder, price], texts) = numbers::<BID_HEAD, 3>(bytes, "bid")?;
        Ok(Self { time, auction, bidder, price, texts })
    }

    /// Its texts.
    #[inline]
    pub fn texts(&self) -> Result<BidTexts<'a>, Error> {
        let [channel, url, extra] = self.texts.all("bid")?;
        Ok(BidTexts { channel, url, extra })
    }
}

/// The time and `N` numbers in the `HEAD` bytes at the front, and what follows them.
#[inline]
fn numbers<'a, const HEAD: usize, const N: usize>(bytes: &'a [u8], what: &str) -> Result<(i64, [u64; N], Texts<'a>), Error> {
    const { assert!(HEAD == 9 + 8 * N) };
    let Some((head, texts)) = bytes.split_first_chunk::<HEAD>() else {
        return Err(too_short(what));
    };
    let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes of the head"));
    Ok((number(1) as i64, std::array::from_fn(|index| number(9 + 8 * index)), Texts(texts)))
}

/// Texts behind their lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Texts<'a>(&'a [u8]);

impl<'a> Texts<'a> {
    #[inline]
    fn all<const N: usize>(self, what: &str) -> Result<[&'a [u8]; N], Error> {
        let mut rest = self.0;
        let mut texts = [&[][..]; N];
        for text in &mut texts {
            let Some((length, behind)) = rest.split_first_chunk::<2>() else {
                return Err(too_short(what));
            };
            let Some((this, behind)) = behind.split_at_checked(usize::from(u16::from_le_bytes(*length))) else {
                return Err(too_short(what));
            };
            (*text, rest) = (this, behind);
        }
        Ok(texts)
    }
}

#[cold]
fn too_short(what: &str) -> Error {
    Error::new(format_args!("read a {what} of Nexmark: the value ends within it"))
}

#[cold]
fn unknown(bytes: &[u8]) -> Error {
    match bytes.first() {
        Some(tag) => Error::new(format_args!("read an event of Nexmark: there is none with the tag {tag} here")),
        None => Error::new("read an event of Nexmark: the value is empty"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the source makes: its tests hold it to the same file.
    const GOLDEN: &str = include_str!("../../../tests/golden/nexmark-events-v1.txt");

    fn golden() -> Vec<Vec<u8>> {
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("digits");
        GOLDEN.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect()
    }

    #[test]
    fn the_golden_events_are_read() {
        let bytes = golden();
        let events: Vec<Event<'_>> = bytes.iter().map(|event| Event::read(event).expect("an event")).collect();
        let [Event::Person(person), Event::Auction(first), Event::Auction(_), Event::Auction(last), Event::Bid(bid)] = events[..] else {
            panic!("{events:?}");
        };
        let texts = person.texts().expect("whole");
        assert_eq!((person.id, person.time), (1000, 1_436_918_400_000));
        assert_eq!((texts.name, texts.email, texts.city), (&b"Sarah White"[..], &b"anynj@skxy.com"[..], &b"Boise"[..]));
        assert_eq!((texts.credit_card, texts.state, texts.extra.len()), (&b"9198 5630 0992 0343"[..], &b"OR"[..], 124));
        assert_eq!((first.id, first.seller, first.category, last.id), (1000, 1000, 10, 1002));
        assert_eq!((first.initial_bid, first.reserve, first.expires - first.time), (216_061, 362_226, 124));
        let texts = first.texts().expect("whole");
        assert_eq!((texts.item_name, texts.description, texts.extra.len()), (&b"nazpafbzg"[..], &b"j dvrr"[..], 398));
        assert_eq!((bid.auction, bid.bidder, bid.price), (1000, 1001, 9_188_742));
        let texts = bid.texts().expect("whole");
        assert_eq!((texts.channel, texts.extra.len()), (&b"Facebook"[..], 80));
        assert_eq!(texts.url, b"https://www.nexmark.com/_hh/iw_/_ti/item.htm?query=1");
    }

    #[test]
    fn an_event_that_is_cut_off_anywhere_is_an_error() {
        let all = |bytes: &[u8]| match Event::read(bytes)? {
            Event::Person(person) => person.texts().map(|_| ()),
            Event::Auction(auction) => auction.texts().map(|_| ()),
            Event::Bid(bid) => bid.texts().map(|_| ()),
        };
        for event in golden() {
            assert!(all(&event).is_ok());
            for length in 0..event.len() {
                assert!(all(&event[..length]).is_err(), "{length} of {}", event.len());
            }
        }
        assert!(Event::read(&[3; 100]).is_err());
    }

    #[test]
    fn the_head_of_a_bid_has_its_numbers() {
        let event = &golden()[4];
        let head = Bid::read(&event[..Bid::HEAD]).expect("a bid");
        assert_eq!((head.auction, head.price), (1000, 9_188_742));
        assert!(head.texts().is_err());
    }
}
