// Sources and outputs that live in memory, so that formats are tested without a disk.
import type { ByteSink, ByteSource, Output, SourceFolder } from "../../src/checkpoint/storage.ts";
import { CompError } from "../../src/errors.ts";

export interface MemorySource extends ByteSource {
  /** Bytes handed out so far. */
  readonly bytesRead: number;
  readonly closed: boolean;
}

export function memorySource(name: string, bytes: Uint8Array): MemorySource {
  const state = { bytesRead: 0, closed: false };
  return {
    name,
    size: bytes.length,
    get bytesRead() {
      return state.bytesRead;
    },
    get closed() {
      return state.closed;
    },
    read: async (start, end) => {
      if (start < 0 || end > bytes.length || start > end)
        throw new CompError("checkpoint", `${name}: no bytes ${start} to ${end}`);
      state.bytesRead += end - start;
      return bytes.slice(start, end);
    },
    close: async () => {
      state.closed = true;
    },
  };
}

/** A folder whose files are the given bytes or texts; `sources` collects what was opened. */
export function memoryFolder(
  files: Record<string, Uint8Array | string>,
  sources: MemorySource[] = [],
  name = "model",
): SourceFolder {
  return {
    name,
    list: async (subfolder) => entries(files, subfolder).filter((name) => !name.includes("/")),
    subfolders: async (subfolder) => {
      const nested = entries(files, subfolder).filter((name) => name.includes("/"));
      return [...new Set(nested.map((name) => name.slice(0, name.indexOf("/"))))];
    },
    open: async (file) => {
      const content = files[file]!;
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      const source = memorySource(`${name}/${file}`, bytes);
      sources.push(source);
      return source;
    },
  };
}

/** Paths from a folder on, sorted. */
const entries = (files: object, subfolder?: string): string[] => {
  const start = subfolder === undefined ? "" : `${subfolder}/`;
  const below = Object.keys(files).filter((file) => file.startsWith(start));
  return below.map((file) => file.slice(start.length)).sort();
};

/** An output that keeps what is written; `files` is there to be read at any time. */
export interface MemoryOutput extends Output {
  readonly files: Record<string, Uint8Array>;
}

export function memoryOutput(name = "out"): MemoryOutput {
  const files: Record<string, Uint8Array> = {};
  return {
    name,
    files,
    staged: memoryFolder(files, [], name),
    create: async (file) => memorySink(files, file),
    flush: async () => {},
    commit: async () => {},
    discard: async () => {
      for (const file of Object.keys(files)) delete files[file];
    },
  };
}

function memorySink(files: Record<string, Uint8Array>, file: string): ByteSink {
  files[file] = new Uint8Array();
  return {
    write: async (position, bytes) => {
      const old = files[file]!;
      const grown = new Uint8Array(Math.max(old.length, position + bytes.length));
      grown.set(old);
      grown.set(bytes, position);
      files[file] = grown;
    },
    close: async () => {},
  };
}
