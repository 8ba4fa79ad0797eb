import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openJournal, stampOf } from "../../src/node/journal.ts";
import { withPaths } from "../../src/node/open-path.ts";
import { stageFile, stageFolder } from "../../src/node/output-folder.ts";
import { lastingPlace } from "../../src/node/output-place.ts";
import { tinyPath } from "../helpers/fixtures.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const KEY = { version: "1", source: "model", options: "all" };
const RECORD = { costs: [Float64Array.of(0.1, Number.NaN)], splits: undefined, layers: new Map([[3, "x"]]) };

const newOutput = (): string => join(temporaryFolder(), "out");

/** What an output's place has in it. */
const placeOf = (output: string): string[] => readdirSync(lastingPlace(output).folder).sort();

async function begun(output: string) {
  const journal = await openJournal<typeof RECORD>(output, KEY);
  await stageFolder(output, { overwrite: false, course: { continues: false } });
  await journal.keep(RECORD);
  return journal;
}

test("finds what was kept with the same key, to the bit, and arrays by their names", async () => {
  const output = newOutput();
  const first = await begun(output);
  expect([first.found, first.discarded]).toEqual([undefined, undefined]);
  await first.put("states/a", new Float32Array([1, 2, 3, 4]).subarray(1, 3));
  await first.put("old/b", Float32Array.of(5));
  await first.drop("old");
  const second = await openJournal<typeof RECORD>(output, KEY);
  expect([second.found, second.discarded]).toEqual([RECORD, undefined]);
  expect(await (await second.get("states/a")).read()).toEqual(Float32Array.of(2, 3));
  await expect(second.get("old/b")).rejects.toThrow("ENOENT");
  await second.keep({ ...RECORD, costs: [] });
  expect((await openJournal<typeof RECORD>(output, KEY)).found?.costs).toEqual([]);
  expect(placeOf(output)).toEqual(["output", "record", "states"]);
});

test.each([
  [{ version: "2" }, "it is of another version of comp"],
  [{ source: "other" }, "the source has changed since"],
  [{ options: "few" }, "its options or texts were others"],
])("what was kept with another key, %j, is removed, and why", async (other, why) => {
  const output = newOutput();
  await begun(output);
  const { found, discarded } = await openJournal(output, { ...KEY, ...other });
  expect([found, discarded]).toEqual([undefined, why]);
  expect(readdirSync(join(output, ".."))).toEqual([]);
});

test("a record that is cut short counts for none", async () => {
  const output = newOutput();
  await begun(output);
  const path = join(lastingPlace(output).folder, "record");
  writeFileSync(path, readFileSync(path).subarray(0, 40));
  const { found, discarded } = await openJournal(output, KEY);
  expect([found, discarded]).toEqual([undefined, undefined]);
  expect(readdirSync(join(output, ".."))).toEqual([]);
});

test.each([
  ["folder", stageFolder, (path: string) => join(path, "a.bin")],
  ["file", stageFile, (path: string) => path],
] as const)("an output that is a %s goes on with what is in its files where they keep it", async (_, stage, pathOf) => {
  const output = newOutput();
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  for (const [continues, position, text] of [
    [false, 0, "abcd"],
    [true, 1, "xy"],
  ] as const) {
    const staged = await stage(output, { overwrite: false, course: { continues } });
    const sink = await staged.create("a.bin", { keepsContent: true });
    await sink.write(position, bytes(text));
    await staged.flush();
    await sink.close();
    if (continues) await staged.commit();
  }
  expect(readFileSync(pathOf(output), "utf8")).toBe("axyd");
  expect(readdirSync(join(output, ".."))).toEqual(["out"]);
});

test("a file that keeps nothing is made anew", async () => {
  const output = newOutput();
  for (const [continues, text] of [
    [false, "a longer text"],
    [true, "short"],
  ] as const) {
    const staged = await stageFolder(output, { overwrite: false, course: { continues } });
    const sink = await staged.create("a.txt");
    await sink.write(0, new TextEncoder().encode(text));
    await sink.close();
    if (continues) await staged.commit();
  }
  expect(readFileSync(join(output, "a.txt"), "utf8")).toBe("short");
});

test("the stamp of a model is that of its files, whatever we have beside them", async () => {
  const model = temporaryFolder();
  cpSync(tinyPath("llama"), model, { recursive: true });
  const stamp = () => withPaths(async (open) => stampOf(model, await open(model)));
  const before = await stamp();
  writeFileSync(join(model, ".comp-x"), "");
  expect(await stamp()).toBe(before);
  const config = join(model, "config.json");
  writeFileSync(config, `${readFileSync(config, "utf8")} `);
  expect(await stamp()).not.toBe(before);
});
