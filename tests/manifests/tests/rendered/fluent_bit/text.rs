//! The Lua filter: lines that are no UTF-8 survive JSON.

use base64::{Engine, engine::general_purpose::STANDARD};
use mlua::{Function, Lua, Table};
use proptest::prelude::*;

use super::file;

/// What the filter does with a line: its code, and the record.
fn encode(lua: &Lua, line: &[u8]) -> (i64, Table) {
    let record = lua.create_table().expect("a table");
    let text = lua.create_string(line).expect("a string");
    record.set("log", text).expect("a field");
    record.set("offset", 7).expect("a field");
    let encode: Function = lua.globals().get("encode").expect("the filter's function");
    let (code, time, record): (i64, f64, Table) =
        encode.call(("tag", 1.5, record)).expect("the filter runs");
    assert!((time - 1.5).abs() < f64::EPSILON);
    assert_eq!(record.get::<i64>("offset").expect("a field"), 7);
    (code, record)
}

fn check(lua: &Lua, line: &[u8]) {
    let (code, record) = encode(lua, line);
    let log: Option<mlua::String> = record.get("log").expect("text or nothing");
    let log_base64: Option<String> = record.get("log_base64").expect("text or nothing");
    if std::str::from_utf8(line).is_ok() {
        assert_eq!((code, log_base64), (0, None));
        assert_eq!(&*log.expect("the line").as_bytes(), line);
    } else {
        assert!(code == 2 && log.is_none());
        let decoded = STANDARD.decode(log_base64.expect("the line"));
        assert_eq!(decoded.expect("base64"), line);
    }
}

fn filter() -> Lua {
    let lua = Lua::new();
    let version: String = lua.load("return jit.version").eval().expect("LuaJIT");
    assert!(version.starts_with("LuaJIT 2.1"), "{version}");
    lua.load(file("text.lua")).exec().expect("the script loads");
    lua
}

#[test]
fn lines_that_are_no_utf8_travel_in_base64() {
    let lua = filter();
    for line in [
        &b""[..],
        b"plain",
        "ü€😀\u{10ffff}\u{d7ff}\u{e000}".as_bytes(),
        b"\0\x1b[31m\r",
        b"\xff",
        b"cut \xe2\x82",
        b"\xc0\xaf overlong",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80 a surrogate",
        b"\xf4\x90\x80\x80 too high",
        b"\x80",
    ] {
        check(&lua, line);
    }
}

#[test]
fn any_line_survives() {
    let lua = filter();
    let bytes = prop_oneof![
        any::<u8>(),
        prop::sample::select(&[0xe0_u8, 0xed, 0xf0, 0xf4, 0x80, 0xa0, 0xbf, b'a'][..])
    ];
    proptest!(|(line in prop::collection::vec(bytes, 0..12))| check(&lua, &line));
}
