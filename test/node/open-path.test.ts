import { copyFileSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { folderSource, openFile, openPath, withPaths } from "../../src/node/open-path.ts";
import { compError } from "../helpers/errors.ts";
import { fixturePath, tinyPath } from "../helpers/fixtures.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

test("a folder opens as safetensors and a file as GGUF", async () => {
  const folder = await openPath(tinyPath("llama"));
  const file = await openPath(fixturePath("sample.gguf"));
  expect([folder.format, folder.tensors.size]).toEqual(["safetensors", 30]);
  expect([file.format, file.tensors.size]).toEqual(["gguf", 5]);
  await folder.close();
  await file.close();
});

test("a folder with nothing but a GGUF file opens as that file", async () => {
  const folder = temporaryFolder();
  copyFileSync(fixturePath("sample.gguf"), join(folder, "m.gguf"));
  const checkpoint = await openPath(folder);
  expect([checkpoint.format, checkpoint.name, checkpoint.tensors.size]).toEqual(["gguf", join(folder, "m.gguf"), 5]);
  await checkpoint.close();
});

test("a file of a split GGUF finds the others in its folder", async () => {
  const folder = temporaryFolder();
  for (const part of ["sample-00001-of-00002.gguf", "sample-00002-of-00002.gguf"])
    copyFileSync(fixturePath(part), join(folder, part));
  const checkpoint = await openPath(join(folder, "sample-00002-of-00002.gguf"));
  const whole = await openPath(fixturePath("sample.gguf"));
  expect(checkpoint.name).toBe(join(folder, "sample-00001-of-00002.gguf"));
  expect([...checkpoint.tensors.keys()].sort()).toEqual([...whole.tensors.keys()].sort());
  for (const name of whole.tensors.keys()) expect(await checkpoint.read(name)).toEqual(await whole.read(name));
  await Promise.all([checkpoint.close(), whole.close()]);
});

test("links are files too, subfolders are not", async () => {
  const folder = temporaryFolder();
  symlinkSync(join(tinyPath("llama"), "model.safetensors"), join(folder, "model.safetensors"));
  mkdirSync(join(folder, "runs"));
  const checkpoint = await openPath(folder);
  expect(checkpoint.files).toEqual(["model.safetensors"]);
  expect(checkpoint.tensors.size).toBe(30);
  await checkpoint.close();
});

test.each<[string, (folder: string) => string, string, string | undefined]>([
  ["no such path", (folder) => join(folder, "nothing"), "nothing does not exist", undefined],
  ["an empty folder", (folder) => folder, "is empty", "config.json and *.safetensors"],
  [
    "a folder without weights",
    (folder) => put(folder, "config.json", "{}", "."),
    "has no *.safetensors",
    "or a .gguf file",
  ],
  ["PyTorch weights", (folder) => put(folder, "pytorch_model.bin", "", "."), "has no *.safetensors", "save_pretrained"],
  [
    "a single safetensors file",
    (folder) => put(folder, "a.safetensors", ""),
    "is a single safetensors file",
    "the folder",
  ],
  ["a file that is neither", (folder) => put(folder, "notes.txt", "hello"), "is not a GGUF file", ".gguf file"],
])("%s is one clear refusal", async (_, prepare, message, hint) => {
  const error = await compError(openPath(prepare(temporaryFolder())));
  expect(error.kind).toBe("checkpoint");
  expect(error.message).toContain(message);
  expect(error.message).not.toContain("\n");
  if (hint !== undefined) expect(error.hint).toContain(hint);
});

function put(folder: string, file: string, text: string, result = file): string {
  writeFileSync(join(folder, file), text);
  return join(folder, result);
}

test("a file that shrinks while it is read, or a range outside it, is refused", async () => {
  const path = join(temporaryFolder(), "bytes");
  writeFileSync(path, Uint8Array.of(1, 2, 3, 4, 5));
  const source = await openFile(path);
  expect(await source.read(1, 3)).toEqual(Uint8Array.of(2, 3));
  expect((await compError(source.read(3, 6))).message).toContain("has 5 bytes; 3 to 6 were asked for");
  truncateSync(path, 2);
  expect((await compError(source.read(0, 5))).message).toContain("became shorter");
  await source.close();
});

test("a folder's files have plain names", async () => {
  const folder = temporaryFolder();
  copyFileSync(fixturePath("sample.gguf"), join(folder, "b"));
  writeFileSync(join(folder, "a"), "");
  expect(await folderSource(folder).list()).toEqual(["a", "b"]);
  await expect(folderSource(folder).open("../b")).rejects.toThrow(RangeError);
});

test("what is opened for a while is closed after it, whatever came of it", async () => {
  const opened: Checkpoint[] = [];
  const failing = withPaths(async (open) => {
    opened.push(await open(tinyPath("llama")), await open(fixturePath("sample.gguf")));
    throw new RangeError("x");
  });
  await expect(failing).rejects.toThrow(RangeError);
  for (const checkpoint of opened) expect((await compError(checkpoint.fingerprint())).message).toContain("file closed");
});
