import { describe, expect, test } from "vitest";
import { decodeText } from "../../src/texts/decode.ts";

const TEXTS = {
  English: "The old man — naïve — went to the sea.\n“Good day,” he said. 🍏\n",
  Chinese: "一个老人去了海边。\n他说：一切都好，一个人也不怕。\n",
  "Chinese of few lines": `${"一个老人去了海边他说一切都好一个人也不怕".repeat(200)}\n`,
  Russian: "Старик пошёл к морю. Мальчик сказал нет.\n",
  Arabic: "ذهب الرجل العجوز إلى البحر\n",
  Thai: "ชายชราไปทะเล เขากลับมา\n",
  Hindi: "बूढ़ा आदमी समुद्र गया\n",
  Greek: "Ο γέρος πήγε στη θάλασσα.\n",
  Japanese: "老人は海に行った。\n少年は「いいえ」と言った。\n",
  Korean: "노인은 바다로 갔다.\n",
};

const swapped = (bytes: Buffer): Buffer => Buffer.from(bytes).swap16();
const encodings: [string, (text: string) => Buffer][] = [
  ["UTF-8", (text) => Buffer.from(text)],
  ["UTF-8 with a mark", (text) => Buffer.from(`\uFEFF${text}`)],
  ["UTF-16, little end first", (text) => Buffer.from(text, "utf16le")],
  ["UTF-16, big end first", (text) => swapped(Buffer.from(text, "utf16le"))],
  ["UTF-16 with a mark", (text) => Buffer.from(`\uFEFF${text}`, "utf16le")],
  ["UTF-16 with a mark, big end first", (text) => swapped(Buffer.from(`\uFEFF${text}`, "utf16le"))],
];

describe.each(encodings)("%s", (_, encode) => {
  test.each(Object.entries(TEXTS))("%s", (_, text) => {
    for (const whole of [text, text.repeat(40), text.replaceAll("\n", "\r\n")])
      expect(decodeText(encode(whole), "x")).toBe(whole);
  });
});

test("UTF-8 is not taken for anything else", () => {
  const records = "/a/b.txt\0\n/c d/e.txt\0\n".repeat(50);
  for (const text of ["", "a", "a NUL: \0.", "1\n0\n1\n0\n", records, "\x1b[0m\n".repeat(9)])
    expect(decodeText(Buffer.from(text), "x")).toBe(text);
});

test.each([
  [Buffer.from("北京").subarray(0, 5), "北"],
  [Buffer.from("\uFEFFab", "utf16le").subarray(0, 5), "a"],
])("a file that was cut within a character ends before it", (bytes, text) => expect(decodeText(bytes, "x")).toBe(text));

describe("what is no text is refused", () => {
  test.each<[string, Uint8Array, string]>([
    ["Latin 1", Buffer.from("one\ntwo\nf\xfcrther\n", "latin1"), "x cannot be read as UTF-8 text: line 3 is not UTF-8"],
    ["UTF-32", Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), "x is UTF-32"],
    ["damaged UTF-16", Buffer.from([0xff, 0xfe, 0x61, 0, 0, 0xd8, 0x61, 0]), "x begins as UTF-16 and is damaged"],
    ["zeros", new Uint8Array(5000), "x is full of NUL bytes: it is not text"],
    ["integers", new Uint8Array(Int32Array.from({ length: 999 }, (_, i) => i).buffer), "x is full of NUL bytes"],
    ["numbers", new Uint8Array(Float32Array.from({ length: 999 }, (_, i) => Math.sin(i)).buffer), "x cannot be read"],
  ])("%s", (_, bytes, message) => expect(() => decodeText(bytes, "x")).toThrow(message));
});
