//! Which files are read, under which names, and what becomes of those that are others than they seem or change while they are read.

use super::*;

#[test]
fn a_checkpoint_that_holds_ranges_is_resumed_by_a_source_that_cuts_none() {
    let files = Files::of(&[("a.csv", &table(9000))]);
    let cut = files.source(json!({ "path": "a.csv", "format": "csv", "key": "k", "split": "64KiB" }));
    let mut splits = cut.discover_now(2).unwrap();
    assert!(splits.len() > 3);
    let mut first = cut.reader(&reader_context(0, 2), splits.iter().step_by(2).cloned().collect()).unwrap();
    let mut records = read(&mut *first, 1000, 100).unwrap().0;
    let whole = files.source(json!({ "path": "a.csv", "format": "csv", "key": "k" }));
    // As a checkpoint of an earlier version has them: without a hash of the file's end.
    splits = first.splits().into_iter().chain(splits.into_iter().skip(1).step_by(2)).collect();
    splits.iter_mut().for_each(|split| drop(split.spec.as_object_mut().unwrap().remove("tail").unwrap()));
    assert_eq!(whole.verify_now(&splits).unwrap(), [""; 0]);
    assert_eq!(whole.new_splits_now(&splits, 2).unwrap(), []);
    records.extend(read_all(&whole, splits, 3).unwrap());
    let mut expected = read_all(&whole, whole.discover_now(1).unwrap(), 1).unwrap();
    assert_eq!(expected.len(), 9000);
    records.sort();
    expected.sort();
    assert!(records == expected);
}

#[test]
fn more_ranges_than_a_checkpoint_should_hold_are_refused() {
    let files = Files::of(&[("a.txt", b"a\n")]);
    std::fs::File::options().append(true).open(files.0.path().join("a.txt")).unwrap().set_len(1 << 30).unwrap();
    let error = files.source(json!({ "path": "a.txt", "split": "64KiB" })).discover_now(1).unwrap_err();
    assert!(error.to_string().starts_with("cut a.txt, which has 1073741824 bytes, into 16384 ranges of 65536 bytes"), "{error}");
}

#[test]
fn ranges_and_their_headers_are_bounded_over_all_files_of_a_source() {
    let files = Files::of(&[]);
    for name in ["a.txt", "b.txt", "c.txt"] {
        files.write(name, b"a\n");
        std::fs::File::options().append(true).open(files.0.path().join(name)).unwrap().set_len(4_000 * 65_536).unwrap();
    }
    let error = files.source(json!({ "path": "*.txt", "split": "64KiB" })).discover_now(1).unwrap_err();
    let expect =
        "cut c.txt, which has 262144000 bytes, into 4000 ranges of 65536 bytes: with those of the files before it that are more than 10000";
    assert_eq!(error.to_string(), expect);
    let header = format!("k,{}\n", "h".repeat(1_000_000));
    files.write("a.csv", (header + &"1,2\n".repeat(500_000)).as_bytes());
    let settings = |split: &str| json!({ "path": "a.csv", "format": "csv", "split": split });
    let error = files.source(settings("64KiB")).discover_now(1).unwrap_err();
    assert!(error.to_string().ends_with("31000062 bytes of headers are more than 16777216"), "{error}");
    assert_eq!(files.source(settings("1MiB")).discover_now(1).unwrap().len(), 2);
}

#[test]
fn a_header_is_bounded_and_what_is_shown_of_it_is_short_and_moves_no_cursor() {
    let refused = |message: &str, hint: &str| {
        let shown = format!("{message} {hint}");
        assert!(shown.len() < 1_000 && !shown.contains(|c: char| c.is_control() || c == '\u{202e}'), "{shown}");
    };
    let long = "x".repeat(3_000_000);
    for text in [format!("k,{long}\n"), long.clone(), format!("k,\"{long}\n"), format!("\u{1b}[2J\u{202e}k,{long}\r\n1,2\n")] {
        let files = Files::of(&[("a.csv", text.as_bytes()), ("a.csv.gz", text.as_bytes())]);
        for path in ["a.csv", "a.csv.gz"] {
            let error = files.try_source(json!({ "path": path, "format": "csv" })).err().unwrap();
            assert!(
                error.message.starts_with(&format!("read the header of {path}: it is longer than 1048576 bytes: ")),
                "{}",
                error.message
            );
            refused(&error.message, error.hint.as_deref().unwrap());
        }
    }
    let evil = format!("\u{1b}[2J\u{202e}k,{}\n", "x".repeat(1_000_000));
    let files = Files::of(&[("a.csv", b"k,v\n"), ("b.csv", evil.as_bytes())]);
    let error = files.source(json!({ "path": "*.csv", "format": "csv" })).discover_now(1).unwrap_err();
    assert!(error.to_string().starts_with("read b.csv: its header is not that of *.csv: \\u{1b}[2J\\u{202e}k,xxx"), "{error}");
    refused(&error.to_string(), error.hint().unwrap());
    let error = files.try_source(json!({ "path": "b.csv", "format": "csv", "key": "id" })).err().unwrap();
    assert!(error.message.starts_with("b.csv has no column `id`; its columns are \\u{1b}[2J"), "{error}");
    refused(&error.message, error.hint.as_deref().unwrap());
    let error = files.try_source(json!({ "path": "b.csv", "format": "csv", "key": "\u{1b}[2J\u{202e}j" })).err().unwrap();
    refused(error.hint.as_deref().unwrap(), "");
    let fits = format!("k,{}", "x".repeat((1 << 20) - 2));
    for end in ["", "\n", "\r\n"] {
        files.write("c.csv", format!("{fits}{end}").as_bytes());
        assert_eq!(files.source(json!({ "path": "c.csv", "format": "csv" })).schema(), Some(fits.clone()));
    }
}

#[test]
fn the_same_columns_in_other_quotation_marks_are_the_same_header() {
    let other: [&[u8]; 4] = [b"\"k\",\"v\"\n3,4\n", b"k,\"v\"", b"\xef\xbb\xbf\"k\",v\r\n3,4\r\n", b"k,v"];
    for (number, other) in other.into_iter().enumerate() {
        let files = Files::of(&[("a.csv", b"k,v\n1,2\n"), ("b.csv", other)]);
        let source = files.source(json!({ "path": "*.csv", "format": "csv", "key": "k" }));
        let splits = source.discover_now(1).unwrap();
        let records = read_all(&source, splits.clone(), 1).unwrap();
        let keys: Vec<_> = records.into_iter().map(|(key, ..)| key.unwrap()).collect();
        assert_eq!(keys, if number % 2 == 0 { vec![b"1".to_vec(), b"3".to_vec()] } else { vec![b"1".to_vec()] });
        assert_eq!(source.verify_now(&splits).unwrap(), [""; 0]);
    }
    let files = Files::of(&[("a.csv", b"k,v\n"), ("b.csv", b"\"k,v\"\n")]);
    assert!(files.source(json!({ "path": "*.csv", "format": "csv" })).discover_now(1).is_err());
}

#[test]
fn names_and_contents_of_compressed_files_have_to_agree() {
    let plain = |name: &str, bytes: &[u8]| {
        let files = Files::of(&[]);
        std::fs::write(files.0.path().join(name), bytes).unwrap();
        files
    };
    for name in ["A.CSV.GZ", "a.csv.Gz"] {
        assert_eq!(plain(name, &gzip(b"k,v\n1,2\n")).values(json!({ "path": name, "format": "csv" })), ["1,2"]);
    }
    let padded = [gzip(b"k,v\n1,2\n"), vec![0; 3000]].concat();
    assert_eq!(plain("a.csv.gz", &padded).values(json!({ "path": "a.csv.gz", "format": "csv" })), ["1,2"]);

    let zstd = zstd::encode_all(&b"k,v\n1,2\n"[..], 1).unwrap();
    let cases: [(&str, &[u8], &str); 9] = [
        ("a.gz", b"k,v\n1,2\n", "a.gz: its name says gzip, and it is not compressed with that: it begins with \"k,v\\n1,2\\n\""),
        ("a.zst", b"x", "a.zst: its name says zstd, and it is not compressed with that: it begins with \"x\""),
        ("a.gz", b"", "a.gz: its name says gzip, and it is empty"),
        ("a.zst", &gzip(b"a\n"), "a.zst: its name says zstd, and it is not compressed with that"),
        ("a.csv", &gzip(b"k,v\n"), "a.csv: it is compressed with gzip, which its name does not say"),
        ("a.csv.gzip", &gzip(b"k,v\n"), "a.csv.gzip: it is compressed with gzip, which its name does not say"),
        ("a.txt", &zstd, "a.txt: it is compressed with zstd, which its name does not say"),
        ("a.csv.bz2", b"BZh91AY&SY\x01\x02", "a.csv.bz2: it is compressed with bzip2, which its name does not say"),
        ("a.zip", b"PK\x03\x04....", "a.zip: it is compressed with zip, which its name does not say"),
    ];
    for (name, bytes, why) in cases {
        for format in ["lines", "csv"] {
            let error = plain(name, bytes).try_source(json!({ "path": name, "format": format })).map(drop).unwrap_err();
            assert!(error.to_string().contains(why), "{format}: {error}");
        }
    }
    assert_eq!(plain("a.txt", b"BZh is no compressed text\n").values(json!({ "path": "a.txt" })), ["BZh is no compressed text"]);
}

#[test]
fn a_file_that_is_not_text_by_its_name_is_read_and_comes_back_from_a_checkpoint() {
    use std::os::unix::ffi::OsStrExt;
    let files = Files::of(&[("a.csv", b"k,v\n1,2\n")]);
    let folder = files.0.path().join(std::ffi::OsStr::from_bytes(b"\xff"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(std::ffi::OsStr::from_bytes(b"\xfe\x07.csv")), b"k,v\n3,4\n").unwrap();
    std::fs::write(folder.join("\u{1b}[2J.txt"), b"x").unwrap();
    let source = files.source(json!({ "path": "**/*.csv", "format": "csv" }));
    source_suite(&source);
    let ids: Vec<_> = source.discover_now(1).unwrap().into_iter().map(|split| split.id).collect();
    assert_eq!(ids, ["a.csv@4", "\"\\xff/\\xfe\\u{7}.csv\"@4"]);
}

#[test]
fn one_file_under_two_names_is_read_once_and_said_also_when_the_second_comes_later() {
    let files = Files::of(&[("m.csv", b"k,v\n1,2\n")]);
    let settings = json!({ "path": "*.csv", "format": "csv" });
    let known = files.source(settings.clone()).discover_now(1).unwrap();
    std::fs::hard_link(files.0.path().join("m.csv"), files.0.path().join("a.csv")).unwrap();
    std::os::unix::fs::symlink("m.csv", files.0.path().join("b.csv")).unwrap();
    assert_eq!(files.values(settings.clone()), ["1,2"]);
    let source = files.source(settings);
    assert_eq!(source.new_splits_now(&known, 1).unwrap(), []);
    let said = ["m.csv is a.csv under another name, and is read once", "b.csv is a.csv under another name, and is read once"];
    assert_eq!(source.remarks().unwrap(), said);
}

#[test]
fn a_path_is_a_pattern_first_and_a_name_where_that_finds_nothing() {
    let check = |names: &[&str], path: &str, read: &[&str], remarks: &[&str]| {
        let files = Files::of(&[]);
        names.iter().for_each(|name| files.write(name, format!("{name}\n").as_bytes()));
        let settings = json!({ "path": path });
        assert_eq!(files.values(settings.clone()), read, "{path} among {names:?}");
        assert_eq!(files.source(settings.clone()).remarks().unwrap(), remarks, "{path} among {names:?}");
        let one = files.source(settings).order(1) == SourceOrder::Whole;
        assert_eq!(one, read == [path], "{path} among {names:?}");
    };
    check(&["a.csv", "b.csv", "*.csv"], "*.csv", &["*.csv", "a.csv", "b.csv"], &[]);
    check(&["a[1].txt"], "a[1].txt", &["a[1].txt"], &[]);
    check(&["a[1"], "a[1", &["a[1"], &[]);
    check(&["a1.txt"], "a[1].txt", &["a1.txt"], &[]);
    let said = "a[1].txt is there under that name and is not read: as a pattern it matches others, and `[[]` stands for `[`";
    check(&["a[1].txt", "a1.txt"], "a[1].txt", &["a1.txt"], &[said]);
    check(&["a[1].txt", "a1.txt"], "a[[]1].txt", &["a[1].txt"], &[]);
}

#[test]
fn a_file_that_is_no_file_is_refused_and_not_waited_for() {
    let files = Files::of(&[("a.csv", b"k,v\n")]);
    let _socket = std::os::unix::net::UnixListener::bind(files.0.path().join("b.csv")).unwrap();
    let refused = |path: &str| files.try_source(json!({ "path": path, "format": "csv" })).map(drop).unwrap_err().to_string();
    assert_eq!(refused("b.csv"), "find the files of `path = \"b.csv\"`: b.csv: it is a socket");
    assert_eq!(refused("/dev/zero"), "find the files of `path = \"/dev/zero\"`: /dev/zero: it is a device");
    let source = files.source(json!({ "path": "*.csv", "format": "csv" }));
    let splits = source.discover_now(1).unwrap();
    assert_eq!(source.remarks().unwrap(), ["b.csv matches and is not read: it is a socket"]);
    std::fs::rename(files.0.path().join("b.csv"), files.0.path().join("a.csv")).unwrap();
    assert_eq!(source.verify_now(&splits).unwrap_err().to_string(), "go on reading a.csv: it is a socket");
}

/// Reads a part of a file, changes it, and reads on; gives the error of the rest.
fn changed_while_read(text: &[u8], change: impl Fn(&Path)) -> Result<usize, String> {
    let files = Files::of(&[("a.txt", text)]);
    let source = files.source(json!({ "path": "a.txt" }));
    let mut reader = source.reader(&reader_context(0, 1), source.discover_now(1).unwrap()).unwrap();
    let begun = read(&mut *reader, 10, 10).unwrap().0.len();
    change(&files.0.path().join("a.txt"));
    read(&mut *reader, usize::MAX, 1000).map(|(records, _)| begun + records.len()).map_err(|error| error.to_string())
}

#[test]
fn a_file_that_is_changed_while_it_is_read_is_named_and_what_came_before_is_not_torn() {
    let text: Vec<u8> = (0..100_000).flat_map(|n| format!("{n:08} {}\n", "x".repeat(20)).into_bytes()).collect();
    let truncated = changed_while_read(&text, |path| std::fs::write(path, "").unwrap());
    assert!(truncated.unwrap_err().contains("a.txt: it has been changed while it was read: it has 0 bytes now and had 3000000"));
    let anew = changed_while_read(&text, |path| std::fs::write(path, [&b"other\n"[..], &text, &text].concat()).unwrap());
    assert!(anew.unwrap_err().contains("a.txt: it has been changed while it was read: its first bytes are others"));
    let append = |path: &Path, more: &[u8]| std::fs::File::options().append(true).open(path).unwrap().write_all(more).unwrap();
    assert_eq!(changed_while_read(&text, |path| append(path, b"more\n")), Ok(100_000), "what is appended is not read");
    let torn = changed_while_read(&[&text[..], b"half"].concat(), |path| append(path, b" a line\n"));
    assert!(torn.unwrap_err().contains("a.txt: it has grown while it was read, and the last row of its 3000004 bytes had no end yet"));
    assert_eq!(changed_while_read(&text, |path| std::fs::remove_file(path).unwrap()), Ok(100_000), "what is open stays");
    let other = |path: &Path| {
        std::fs::rename(path, path.with_extension("old")).unwrap();
        std::fs::write(path, "other\n").unwrap();
    };
    assert_eq!(changed_while_read(&text, other), Ok(100_000), "the name is another file's now");
}

#[test]
fn a_file_with_other_content_behind_an_equal_beginning_is_not_read_on() {
    let text: Vec<u8> = (0..10_000).flat_map(|n| format!("{n:08}\n").into_bytes()).collect();
    let files = Files::of(&[("a.txt", &text)]);
    let source = files.source(json!({ "path": "a.txt" }));
    let splits = source.discover_now(1).unwrap();
    files.write("a.txt", &[&text[..50_000], &b"y".repeat(40_000)].concat());
    let error = source.verify_now(&splits).unwrap_err();
    assert_eq!(error.to_string(), "go on reading a.txt: the file has changed since: its last bytes are others");
}
