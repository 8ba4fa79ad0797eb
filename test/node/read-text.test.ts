// Files as people have them, read from the disk. The Parquet files are of pyarrow (test/fixtures/make-parquet.py).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { readText, readTexts } from "../../src/node/read-text.ts";
import { joinDocuments, readDocuments } from "../../src/texts/documents.ts";
import { ROOT } from "../helpers/built.ts";
import { compError } from "../helpers/errors.ts";

const FIXTURES = join(ROOT, "test/fixtures/texts");
const fixture = (name: string): string => join(FIXTURES, name);
const DOCUMENTS = ["First document.\nIts second line.", "", "Zweites Dokument: Äpfel 🍏", "", "last"];
const ROWS = DOCUMENTS.map((text) => ({ text }));
const LINES = ROWS.map((row) => `${JSON.stringify(row)}\n`).join("");
const CSV = `text\n${DOCUMENTS.map((text) => `"${text}"`).join("\n")}\n`;

const folder = mkdtempSync(join(tmpdir(), "comp-texts-"));
afterAll(() => rmSync(folder, { recursive: true }));
function write(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

describe("the same documents", () => {
  test.each<[string, string | Uint8Array]>([
    ["x.jsonl", LINES],
    ["x.ndjson", LINES],
    ["x.json", JSON.stringify(ROWS)],
    ["crlf.jsonl", LINES.replaceAll("\n", "\r\n").replaceAll("\\n", "\\r\\n")],
    ["wide.jsonl", Buffer.from(`\uFEFF${LINES}`, "utf16le")],
    ["no-mark.jsonl", Buffer.from(LINES, "utf16le")],
    ["x.csv", CSV],
    ["wide.csv", Buffer.from(`\uFEFF${CSV.replaceAll("\n", "\r\n")}`, "utf16le")],
    ["x.jsonl.gz", gzipSync(LINES)],
    ["x.CSV.GZ", gzipSync(CSV)],
    ["packed.jsonl", gzipSync(LINES)], // whoever packed it kept the name
    ["unpacked.jsonl.gz", LINES], // so did a browser that unpacked it
    ["parts.jsonl.gz", Buffer.concat([gzipSync(LINES.slice(0, 80)), gzipSync(LINES.slice(80))])],
    ["x.parquet.gz", gzipSync(readFileSync(fixture("snappy.parquet")))],
    ["x.bin", readFileSync(fixture("snappy.parquet"))],
  ])("%s", async (name, content) => {
    const text = await readText(write(name, content));
    expect(text.name).toBe(name);
    expect(readDocuments(text)).toEqual(DOCUMENTS);
  });

  test.each(["snappy", "gzip", "brotli", "zstd", "lz4", "pages-v2"])("Parquet: %s", async (name) =>
    expect(readDocuments(await readText(fixture(`${name}.parquet`)))).toEqual(DOCUMENTS),
  );
});

test("conversations in Parquet", async () =>
  expect(await readText(fixture("messages.parquet"))).toEqual({
    name: "messages.parquet",
    text: ['user: Is it cold?\n\nassistant: weather({"city": "Bern"})\n\ntool: 3 °C', "user: Bye", "", ""],
  }));

test("plain text is the same text however its lines end, and whatever it is packed in", async () => {
  const text = "One line.\nAnother line of it.\n".repeat(20);
  const files = [
    write("lf.txt", text),
    write("crlf.txt", text.replaceAll("\n", "\r\n")),
    write("mark.txt", `\uFEFF${text}`),
    write("wide.txt", Buffer.from(text.replaceAll("\n", "\r\n"), "utf16le")),
    write("lf.txt.gz", gzipSync(text)),
  ];
  const texts = await readTexts(files);
  expect(texts.map(({ name }) => name)).toEqual(files.map((file) => basename(file)));
  expect(texts.map(joinDocuments)).toEqual(files.map(() => text));
});

describe("refused by name", () => {
  const packed = gzipSync(LINES);
  test.each<[string, string | Uint8Array, string]>([
    ["table.bin", Buffer.concat([Buffer.from("PAR1"), Buffer.alloc(999, 7)]), "cannot be read as a Parquet file"],
    ["short.bin", "PAR1", "cannot be read as a Parquet file"],
    ["cut.parquet", readFileSync(fixture("zstd.parquet")).subarray(0, -9), "cannot be read as a Parquet file"],
    ["no.parquet", "text", "is not a Parquet file"],
    [
      "pointer.parquet",
      `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\n`,
      "is a git-lfs pointer",
    ],
    ["cut.gz", packed.subarray(0, -20), "is a damaged gzip file"],
    ["bad.gz", Buffer.concat([packed.subarray(0, 20), Buffer.alloc(50, 255)]), "is a damaged gzip file"],
    ["twice.gz", gzipSync(packed), "is gzip within gzip"],
    ["bomb.gz", gzipSync(Buffer.alloc(257e6)), "has more than 256 MB of text"],
    ["x.zst", Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3]), "is a zstd file"],
    ["x.docx", Buffer.from("PK\x03\x04rest"), "is a zip archive or an office document"],
    ["x.pdf", "%PDF-1.7\n", "is a PDF document"],
    ["bad.jsonl", '{"text": "a"}\n{"prompt": "b"}\n', ", line 2 has neither text nor messages; it has prompt"],
    ["bad.csv", "prompt,completion\na,b\n", "has no column named text; its columns are prompt, completion"],
  ])("%s", async (name, content, what) => {
    const file = write(name, content);
    const { kind, message } = await compError(readText(file));
    expect(kind).toBe("calibration");
    expect(message.startsWith(file + (what.startsWith(",") ? "" : " "))).toBe(true);
    expect(message).toContain(what);
    expect(message).not.toContain("\n");
  });

  test.each([
    ["columns", "has no column named text; its columns are question, answer"],
    ["numbers", "numbers.parquet, row 1 has a text that is not a string"],
    ["long", "has more than 256 MB of text"],
  ])("Parquet: %s", async (name, what) =>
    expect((await compError(readText(fixture(`${name}.parquet`)))).message).toContain(what),
  );

  test.each([
    [join(folder, "none.txt"), "there is no text file"],
    [folder, "is a folder, not a text file"],
  ])("%s", async (path, what) => expect((await compError(readText(path))).message).toContain(what));
});
