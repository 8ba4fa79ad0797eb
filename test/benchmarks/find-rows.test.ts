import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { findRows, listDataFiles } from "../../src/benchmarks/find-rows.ts";
import { type BenchmarkName, benchmarkOf } from "../../src/benchmarks/index.ts";
import { folderSource } from "../../src/node/open-path.ts";
import { compError } from "../helpers/errors.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

async function find(name: BenchmarkName, files: Readonly<Record<string, string>>, inside = "") {
  const folder = join(temporaryFolder(), inside);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const source = folderSource(folder);
  return findRows(name, benchmarkOf(name).files, source, await listDataFiles(source));
}

const line = (id: number) => `{"id": ${id}}\n`;
const ids = (rows: Awaited<ReturnType<typeof find>>) => rows.map(({ fields }) => fields.id);

test.each<[BenchmarkName, string]>([
  ["arc_easy", "arc/ARC-Easy-Test.jsonl"],
  ["arc_easy", "hub/datasets--allenai--ai2_arc/snapshots/ab12/ARC-Easy/test.jsonl"],
  ["arc_challenge", "arc_challenge/test.json"],
  ["winogrande", "winogrande_xl/validation-00000-of-00001.jsonl"],
  ["hellaswag", "hellaswag/hellaswag_val_1000.jsonl"],
  ["boolq", "super_glue/boolq/validation/0000.jsonl"],
  ["lambada_openai", "lambada_openai/data/lambada_test_en.jsonl"],
])("%s is found at %s", async (name, path) => {
  const others = {
    "arc/ARC-Easy-Dev.jsonl": line(2),
    "boolq/train.jsonl": line(3),
    "x/lambada_test_de.jsonl": line(4),
  };
  expect(ids(await find(name, { ...others, [path]: line(1) }))).toEqual([1]);
});

test("a table in parts is read in their order", async () => {
  const part = (i: number) => `openbookqa/main/test-0000${i}-of-00002.jsonl`;
  const other = { "openbookqa/additional/test.jsonl": line(9) };
  expect(ids(await find("openbookqa", { ...other, [part(1)]: line(2), [part(0)]: line(1) }))).toEqual([1, 2]);
});

test("tables with tabs are taken as they are, and labels may be in a file of their own", async () => {
  const [row] = await find("openbookqa", { "openbookqa/test.tsv": 'ID\tQuestion Stem\n7\t"Ice\n' });
  expect(row!.fields).toEqual({ ID: "7", "Question Stem": '"Ice' });
  const rows = await find("piqa", { "dev.jsonl": line(1) + line(2), "dev-labels.lst": "1\n0\n" }, "piqa");
  expect(rows.map(({ fields }) => fields.label)).toEqual(["1", "0"]);
});

test("what is missing is named, and what there is", async () => {
  const error = await compError(find("piqa", { "boolq/val.jsonl": line(1) }));
  expect(error).toMatchObject({ kind: "calibration", hint: expect.stringContaining("piqa/dev.jsonl") });
  expect(error.message).toMatch(/no validation data of piqa: it holds boolq\/val\.jsonl$/);
});
