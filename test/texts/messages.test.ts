import { expect, test } from "vitest";
import { renderMessages } from "../../src/texts/messages.ts";

const call = (name: string, given: unknown) => ({ id: "a", type: "function", function: { name, arguments: given } });

test.each<[string, object[], string]>([
  ["turns", [{ role: "user", content: "Hi" }, { content: "Ho" }], "user: Hi\n\nHo"],
  ["an empty turn", [{ role: "user", content: "" }], "user: "],
  [
    "null that says nothing",
    [
      { role: "user", content: "Hi" },
      { role: "assistant", content: null },
    ],
    "user: Hi",
  ],
  ["no turn at all", [], ""],
  [
    "null beside calls of tools",
    [
      { role: "assistant", content: null, tool_calls: [call("f", '{"a": 1}'), call("g", { b: 2n })] },
      { role: "tool", tool_call_id: "a", content: "42" },
    ],
    'assistant: f({"a": 1})\ng({"b":2})\n\ntool: 42',
  ],
  ["text beside a call", [{ role: "a", content: "Wait.", tool_calls: [call("f", null)] }], "a: Wait.\nf({})"],
  ["a call without content", [{ role: "a", tool_calls: [{ name: "f", arguments: "x" }] }], "a: f(x)"],
  ["a call as it was once written", [{ role: "a", function_call: { name: "f", arguments: "x" } }], "a: f(x)"],
  ["no calls", [{ role: "a", content: "b", tool_calls: null, function_call: null }], "a: b"],
  [
    "parts",
    [
      {
        role: "user",
        content: [
          { type: "text", text: "Look:" },
          { type: "image_url", image_url: { url: "x" } },
          { type: "image", text: null },
          null,
          { type: "text", text: "a cat" },
          "or two",
        ],
      },
    ],
    "user: Look:\na cat\nor two",
  ],
  ["parts without text", [{ role: "user", content: [{ type: "image" }] }], ""],
])("%s", (_, messages, expected) => expect(renderMessages(messages, "x")).toBe(expected));
