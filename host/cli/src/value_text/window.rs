//! Keys of state by windows, and what the host keeps of a window.

use super::{key_text, times};
use weir_engine::state::{OpenWindow, StateDescriptor, WINDOW_STATE, WindowKind, key_of_unit, start_of_unit};

/// How the keys are shown that an operator's state is kept under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// As keys.
    Plain,
    /// As keys in their windows, of this kind where it is known.
    InWindows(Option<WindowKind>),
}

/// A key of state as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyShown {
    /// The key alone.
    pub key: String,
    /// JSON: where its window begins, or the number of a count; `None`: it is in no window, or in the only one.
    pub window: Option<String>,
}

impl KeyForm {
    /// Of an operator that keeps these states.
    pub fn of<'a>(states: impl IntoIterator<Item = &'a StateDescriptor>) -> Self {
        let windows = states.into_iter().find(|state| state.name == WINDOW_STATE);
        windows.map_or(Self::Plain, |windows| Self::InWindows(WindowKind::of_described(&windows.schema)))
    }

    /// The key alone.
    pub fn key_of<'k>(&self, stored: &'k [u8]) -> &'k [u8] {
        match self {
            Self::Plain => stored,
            Self::InWindows(_) => key_of_unit(stored),
        }
    }

    /// A key as it is shown.
    pub fn shown(&self, stored: &[u8]) -> KeyShown {
        let start = start_of_unit(stored);
        let window = match self {
            Self::Plain | Self::InWindows(Some(WindowKind::Global)) => None,
            Self::InWindows(Some(WindowKind::Count { .. })) => Some(start.to_string()),
            Self::InWindows(Some(WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } | WindowKind::Session { .. }) | None) => {
                Some(times::shown(start))
            }
        };
        KeyShown { key: key_text(self.key_of(stored)), window }
    }
}

/// What is kept of a window, as JSON; `None`: the bytes are not that.
pub(super) fn json(kind: &WindowKind, stored: &[u8]) -> Option<String> {
    let OpenWindow { revision, is_complete, end, records } = OpenWindow::read(kind, stored)?;
    let end = end.map(|end| format!("\"end\":{},", times::shown(end))).unwrap_or_default();
    let records = records.map(|records| format!("\"records\":{records},")).unwrap_or_default();
    Some(format!("{{{end}{records}\"revision\":{revision},\"complete\":{is_complete}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value_text::{Shown, StateText};
    use weir_engine::state::{WindowSettings, window_state};

    /// Of the key `EWR` and this start.
    fn unit(start: i64) -> Vec<u8> {
        [&(start ^ i64::MIN).to_be_bytes()[..], b"EWR"].concat()
    }

    #[test]
    fn a_key_is_shown_beside_the_window_that_it_is_in() {
        let shown = |kind: WindowKind, start: i64| {
            let form = KeyForm::of([&window_state(&WindowSettings::new(kind))]);
            let KeyShown { key, window } = form.shown(&unit(start));
            assert_eq!((key.as_str(), form.key_of(&unit(start))), ("EWR", &b"EWR"[..]));
            window
        };
        let ten = Some("\"2013-01-01T10:00:00.000Z\"".to_owned());
        assert_eq!(shown(WindowKind::Tumbling { size: 5, offset: 0 }, 1_357_034_400_000), ten);
        assert_eq!(shown(WindowKind::Session { gap: 5 }, 1_357_034_400_000), ten);
        assert_eq!(shown(WindowKind::Hopping { size: 5, every: 1, offset: 0 }, -5), Some("\"1969-12-31T23:59:59.995Z\"".to_owned()));
        assert_eq!(shown(WindowKind::Count { records: 5 }, 12), Some("12".to_owned()));
        assert_eq!(shown(WindowKind::Global, i64::MIN), None);
        assert_eq!(KeyForm::of([]).shown(b"EWR"), KeyShown { key: "EWR".into(), window: None });
        assert_eq!(KeyForm::of([]).key_of(b"a key of any length"), b"a key of any length");
    }

    #[test]
    fn what_is_kept_of_a_window_is_told_by_name() {
        let text = |kind: WindowKind, stored: &[u8]| StateText::of(&window_state(&WindowSettings::new(kind))).value(1, stored);
        let json = |json: &str| Shown { json: json.into(), problem: None };
        assert_eq!(text(WindowKind::Tumbling { size: 5, offset: 0 }, &[6]), json("{\"revision\":1,\"complete\":true}"));
        let session = [&[1][..], &1_357_034_400_000_i64.to_le_bytes()].concat();
        let expect = "{\"end\":\"2013-01-01T10:00:00.000Z\",\"revision\":0,\"complete\":false}";
        assert_eq!(text(WindowKind::Session { gap: 5 }, &session), json(expect));
        let unknown = Shown { json: "\"0x01ff\"".into(), problem: Some("it is nothing that is kept of a window".into()) };
        assert_eq!(text(WindowKind::Tumbling { size: 5, offset: 0 }, &[1, 0xff]), unknown);
    }
}
