import { describe, expect, test } from "vitest";
import { readDocuments } from "../../src/calibration/read-texts.ts";

const jsonLines = (...lines: string[]) => ({ name: "data/Chat.JSONL", text: lines.join("\r\n") });

test("a text is one document, whatever is in it", () =>
  expect(readDocuments({ name: "a.txt", text: '{"text": 1}\n\n' })).toEqual(['{"text": 1}\n\n']));

test("lines of JSON are documents: texts and conversations; empty lines are none", () => {
  const chat = JSON.stringify({ messages: [{ role: "user", content: "Hi" }, { content: "Ho" }] });
  expect(readDocuments(jsonLines('{"text": "one\\ntwo", "n": 1}', "", chat, " "))).toEqual([
    "one\ntwo",
    "user: Hi\n\nHo",
  ]);
});

describe("a bad line is named", () => {
  test.each([
    ["not JSON", "oops", "is not a JSON object"],
    ["a number", "3", "is not a JSON object"],
    ["an object of other fields", '{"body": "x"}', "has neither text nor messages"],
    ["a message that holds no text", '{"messages": [{"content": []}]}', "has a message whose content is not text"],
  ])("%s", (_, line, what) =>
    expect(() => readDocuments(jsonLines('{"text": ""}', line))).toThrow(`data/Chat.JSONL, line 2 ${what}`),
  );
});
