// Scratch space in the system's folder for temporary files.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scratch } from "../forward/scratch.ts";
import { unwritable } from "./disk.ts";
import { forgetUnfinished, rememberUnfinished } from "./unfinished.ts";

/** A folder made when first needed, removed by `clear`. @throws {CompError} "output" when the disk is full */
export function scratchFolder(): Scratch {
  let folder: Promise<string> | undefined;
  const path = async (key: string): Promise<string> => {
    folder ??= makeFolder();
    return join(await folder, encodeURIComponent(key));
  };
  const read = async (key: string): Promise<Float32Array<ArrayBuffer>> => {
    const bytes = await readFile(await path(key));
    // a small file may come as a part of a shared buffer, at any offset
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer);
  };
  return {
    async put(key, data) {
      const file = await path(key);
      await writeFile(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).catch((cause: unknown) => {
        throw unwritable(file, cause);
      });
    },
    read,
    async take(key) {
      const data = await read(key);
      await rm(await path(key));
      return data;
    },
    async clear() {
      if (folder === undefined) return;
      await rm(await folder, { recursive: true, force: true });
      forgetUnfinished(await folder);
      folder = undefined;
    },
  };
}

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "comp-scratch-"));
  rememberUnfinished(folder);
  return folder;
}
