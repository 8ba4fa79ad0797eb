import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Output } from "../../src/checkpoint/storage.ts";
import { stageFile, stageFolder } from "../../src/node/output-folder.ts";
import { compError } from "../helpers/errors.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const fresh = { overwrite: false };
const replacing = { overwrite: true };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (...path: string[]): string => readFileSync(join(...path), "utf8");

async function write(output: Output, file: string, content: string): Promise<void> {
  const sink = await output.create(file);
  await sink.write(0, bytes(content));
  await sink.close();
}

describe("a folder", () => {
  test("appears when committed, not before, with the rights of any new folder", async () => {
    const parent = temporaryFolder();
    const output = await stageFolder(join(parent, "small"), fresh);
    const sink = await output.create("a.bin");
    await sink.write(2, bytes("cd"));
    await sink.write(0, bytes("ab"));
    expect(readdirSync(parent).filter((name) => name.includes("small"))).toEqual([]);
    await output.commit();
    expect(readdirSync(parent)).toEqual(["small"]);
    expect(text(parent, "small", "a.bin")).toBe("abcd");
    mkdirSync(join(parent, "other"));
    expect(statSync(join(parent, "small")).mode).toBe(statSync(join(parent, "other")).mode);
  });

  test("leaves nothing when discarded in the middle, with files still open", async () => {
    const parent = temporaryFolder();
    const output = await stageFolder(join(parent, "deep", "er", "small"), fresh);
    const sink = await output.create("a.bin");
    await sink.write(0, bytes("ab"));
    await Promise.all([output.discard(), output.discard()]);
    expect(readdirSync(parent)).toEqual([]);
    expect((await compError(sink.write(2, bytes("cd")))).kind).toBe("output");
    expect((await compError(output.create("b.bin"))).kind).toBe("aborted");
    expect((await compError(output.commit())).kind).toBe("aborted");
  });

  test("leaves nothing when discarded while a file is being created", async () => {
    const parent = temporaryFolder();
    const output = await stageFolder(join(parent, "small"), fresh);
    const creating = compError(output.create("a.bin"));
    await output.discard();
    await creating;
    expect(readdirSync(parent)).toEqual([]);
  });

  test("stays when discarded after the commit, or during it", async () => {
    const parent = temporaryFolder();
    const output = await stageFolder(join(parent, "small"), fresh);
    await write(output, "a.bin", "ab");
    await Promise.all([output.commit(), output.discard()]);
    await output.discard();
    expect(text(parent, "small", "a.bin")).toBe("ab");
  });

  test("keeps what others put beside it in a folder that it created", async () => {
    const parent = temporaryFolder();
    const output = await stageFolder(join(parent, "new", "small"), fresh);
    writeFileSync(join(parent, "new", "keep.txt"), "mine");
    await output.discard();
    expect(readdirSync(join(parent, "new"))).toEqual(["keep.txt"]);
  });

  test("that is taken is refused and left as it was", async () => {
    const parent = temporaryFolder();
    mkdirSync(join(parent, "taken"));
    writeFileSync(join(parent, "taken", "keep.txt"), "mine");
    const error = await compError(stageFolder(join(parent, "taken"), fresh));
    expect(error.kind).toBe("output");
    expect(error.message).toContain("taken exists already");
    expect(error.hint).toContain("--overwrite");
    expect((await compError(stageFolder(join(parent, "taken"), replacing))).message).toContain("is no model");
    expect(readdirSync(parent)).toEqual(["taken"]);
    expect(readdirSync(join(parent, "taken"))).toEqual(["keep.txt"]);
  });

  test("with a model in it is replaced at commit only", async () => {
    const parent = temporaryFolder();
    mkdirSync(join(parent, "model"));
    writeFileSync(join(parent, "model", "config.json"), "old");
    const given = await stageFolder(join(parent, "model"), replacing);
    await write(given, "config.json", "never");
    await given.discard();
    expect(text(parent, "model", "config.json")).toBe("old");
    const output = await stageFolder(join(parent, "model"), replacing);
    await write(output, "new.bin", "new");
    expect(text(parent, "model", "config.json")).toBe("old");
    await output.commit();
    expect(readdirSync(parent)).toEqual(["model"]);
    expect(readdirSync(join(parent, "model"))).toEqual(["new.bin"]);
  });

  test("that came into being meanwhile is not replaced, and the staged one can be discarded", async () => {
    const parent = temporaryFolder();
    const output = await stageFolder(join(parent, "small"), fresh);
    mkdirSync(join(parent, "small"));
    expect((await compError(output.commit())).message).toContain("exists already");
    await output.discard();
    expect(readdirSync(parent)).toEqual(["small"]);
  });

  test.each<[string, (path: string) => void, string]>([
    ["a file stands", (path) => writeFileSync(path, "x"), "is not a folder"],
    ["a link stands", (path) => symlinkSync("nowhere", path), "is not a folder"],
    ["the folder above is a file", (path) => writeFileSync(dirname(path), "x"), "cannot write"],
  ])("is refused where %s", async (_, prepare, message) => {
    const parent = join(temporaryFolder(), "above");
    if (message !== "cannot write") mkdirSync(parent);
    prepare(join(parent, "small"));
    const error = await compError(stageFolder(join(parent, "small"), replacing));
    expect(error.kind).toBe("output");
    expect(error.message).toContain(message);
  });

  test("takes plain file names only", async () => {
    const output = await stageFolder(join(temporaryFolder(), "small"), fresh);
    await expect(output.create("../x")).rejects.toThrow(RangeError);
    await output.discard();
  });
});

describe("a file", () => {
  test("appears when committed and is replaced only then", async () => {
    const parent = temporaryFolder();
    const path = join(parent, "small.gguf");
    const first = await stageFile(path, fresh);
    await write(first, "", "one");
    expect(existsSync(path)).toBe(false);
    await first.commit();
    expect((await compError(stageFile(path, fresh))).message).toContain("exists already");
    const second = await stageFile(path, replacing);
    await write(second, "", "two");
    expect(text(path)).toBe("one");
    await second.commit();
    expect(text(path)).toBe("two");
    expect(readdirSync(parent)).toEqual(["small.gguf"]);
  });

  test("leaves nothing when discarded while it is being created", async () => {
    const parent = temporaryFolder();
    const output = await stageFile(join(parent, "small.gguf"), fresh);
    const creating = compError(output.create(""));
    await output.discard();
    expect((await creating).kind).toBe("aborted");
    expect(readdirSync(parent)).toEqual([]);
  });

  test("leaves nothing when discarded, and never replaces a folder", async () => {
    const parent = temporaryFolder();
    const output = await stageFile(join(parent, "small.gguf"), fresh);
    await output.create("");
    await output.discard();
    expect(readdirSync(parent)).toEqual([]);
    expect((await compError(stageFile(parent, replacing))).message).toContain("is not a file");
  });
});
