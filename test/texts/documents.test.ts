import { describe, expect, test } from "vitest";
import { joinDocuments, readDocuments } from "../../src/texts/documents.ts";

const jsonLines = (...lines: string[]) => ({ name: "data/Chat.JSONL", text: lines.join("\r\n") });

describe("plain text", () => {
  test("is one document, whatever is in it", () =>
    expect(readDocuments({ name: "a.txt", text: '{"text": 1}\n\n' })).toEqual(['{"text": 1}\n\n']));

  test("has line ends of one kind, and no byte order mark", () =>
    expect(readDocuments({ name: "a", text: "\uFEFFa\r\nb\rc\n\uFEFF" })).toEqual(["a\nb\rc\n\uFEFF"]));
});

test("documents that are given one by one are taken as they are", () => {
  const text = { name: "a.jsonl", text: ["one\r\ntwo", "", "three"] };
  expect(readDocuments(text)).toEqual(["one\ntwo", "", "three"]);
  expect(joinDocuments(text)).toBe("one\ntwo\n\n\n\nthree");
});

test("lines of JSON are documents: texts and conversations; empty lines are none", () => {
  const chat = JSON.stringify({ messages: [{ role: "user", content: "Hi" }, { content: "Ho" }] });
  expect(readDocuments(jsonLines('{"text": "one\\ntwo", "n": 1}', "", chat, " "))).toEqual([
    "one\ntwo",
    "user: Hi\n\nHo",
  ]);
});

describe("rows are the same documents", () => {
  const rows = [{ text: "one\r\n[two]" }, { text: "" }, { text: null }, { text: "3\u2028three" }];
  const lines = rows.map((row) => JSON.stringify(row)).join("\n");
  const array = JSON.stringify(rows, undefined, 2);
  test.each([
    ["x.jsonl", lines],
    ["x.ndjson", lines],
    ["x.NDJSON.gz", `\uFEFF${lines}\n`],
    ["x.json", lines],
    ["x.json", array],
    ["x.jsonl", array.replaceAll("\n", "\r\n")],
    ["x.csv", 'text,n\r\n"one\r\n[two]",1\r\n,2\r\n,3\r\n3\u2028three,4'],
  ])("%s", (name, text) => expect(readDocuments({ name, text })).toEqual(["one\n[two]", "", "", "3\u2028three"]));
});

test("a JSON file may be one row over several lines", () =>
  expect(readDocuments({ name: "x.json", text: '{\n  "text": "one"\n}\n' })).toEqual(["one"]));

test("messages speak where the text is null", () =>
  expect(readDocuments(jsonLines('{"text": null, "messages": [{"content": "a"}]}'))).toEqual(["a"]));

describe("a bad line is named", () => {
  test.each([
    ["not JSON", "oops", "is not a JSON object"],
    ["a number", "3", "is not a JSON object"],
    ["an array", '["a"]', "is not a JSON object"],
    ["an object of other fields", '{"body": "x"}', "has neither text nor messages; it has body"],
    ["a name of two lines", '{"a\\n\\tb": "x", "c": 1}', "has neither text nor messages; it has a b, c"],
    ["an empty object", "{}", "has neither text nor messages; it has nothing"],
    [
      "many fields",
      '{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1}',
      "it has a, b, c, d, e, f, g, h and 2 more",
    ],
    ["a number as text", '{"text": 3}', "has a text that is not a string"],
    ["one message alone", '{"messages": {"content": ""}}', "has messages that are not a list"],
    ["a message that is null", '{"messages": [{"content": "a"}, null]}', "has a message that is null"],
    ["a message that is a string", '{"messages": ["a"]}', "has a message that is not an object"],
    ["a message that holds no text", '{"messages": [{"content": 3}]}', "has a message whose content is not text"],
    ["a message of other fields", '{"messages": [{"from": "a", "value": "b"}]}', "without content; it has from, value"],
  ])("%s", (_, line, what) => {
    const read = () => readDocuments(jsonLines('{"text": ""}', line));
    expect(read).toThrow(what);
    expect(read).toThrow("data/Chat.JSONL, line 2 ");
  });

  test.each([
    ['[{"text": "a"}, 3]', "x.json, row 2 is not a JSON object"],
    ['[{"text": "a"},\n{"text": "b"},\n{oops}]', "x.json, line 3 is not valid JSON"],
    ['[{"text": "a"},\n{"text": "b"', "x.json"],
    ['{\n"name": "comp",\n"version": 1\n}', "x.json has neither text nor messages; it has name, version"],
  ])("of JSON: %j", (text, message) => expect(() => readDocuments({ name: "x.json", text })).toThrow(message));
});
