// Files of the disk as byte sources.
import { type FileHandle, open } from "node:fs/promises";
import type { ByteSource } from "../checkpoint/storage.ts";
import { CompError } from "../errors.ts";

/** Node reads at most 2 GiB at a time. */
const MAX_READ_BYTES = 2 ** 30;

/** Opens a file for reading. @throws {CompError} "checkpoint" when that is not possible. */
export async function openFile(path: string): Promise<ByteSource> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    const { size } = await handle.stat();
    return new FileSource(path, size, handle);
  } catch (cause) {
    await handle?.close();
    throw unreadable(path, cause);
  }
}

/** One clear line for what the system says about a path. */
export function unreadable(path: string, cause: unknown): CompError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT") return new CompError("checkpoint", `${path} does not exist`, { cause });
  if (code === "EACCES" || code === "EPERM")
    return new CompError("checkpoint", `no permission to read ${path}`, { cause });
  return new CompError("checkpoint", `cannot read ${path}: ${message}`, { cause });
}

class FileSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #handle: FileHandle;

  constructor(name: string, size: number, handle: FileHandle) {
    this.name = name;
    this.size = size;
    this.#handle = handle;
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    if (!(0 <= start && start <= end && end <= this.size))
      throw new CompError("checkpoint", `${this.name} has ${this.size} bytes; ${start} to ${end} were asked for`);
    const bytes = new Uint8Array(end - start);
    let done = 0;
    while (done < bytes.length) {
      const read = await this.#readSome(bytes, done, start + done);
      if (read === 0)
        throw new CompError("checkpoint", `${this.name} became shorter while it was read: it ends at ${start + done}`);
      done += read;
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #readSome(bytes: Uint8Array, at: number, position: number): Promise<number> {
    try {
      const length = Math.min(bytes.length - at, MAX_READ_BYTES);
      return (await this.#handle.read(bytes, at, length, position)).bytesRead;
    } catch (cause) {
      throw unreadable(this.name, cause);
    }
  }
}
