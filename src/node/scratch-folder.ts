// Scratch space in the system's folder for temporary files.
import { mkdtemp, open, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scratch } from "../forward/run/scratch.ts";
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
    const { size } = await stat(await path(key));
    const data = new Float32Array(size / Float32Array.BYTES_PER_ELEMENT);
    await readInto(key, data);
    return data;
  };
  const readInto = async (key: string, data: Float32Array): Promise<void> => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const file = await path(key);
    const handle = await open(file);
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, done);
        if (bytesRead === 0) throw new RangeError(`${file} has ${done} bytes, ${bytes.length} were asked for`);
        done += bytesRead;
      }
    } finally {
      await handle.close();
    }
  };
  return {
    async put(key, data) {
      const file = await path(key);
      await writeFile(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).catch((cause: unknown) => {
        throw unwritable(file, cause);
      });
    },
    read,
    readInto,
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
