// Interfaces of what bytes are read from and written to. Adapters (src/node/) implement them; nothing here knows a file system.

/** Random access to one file's bytes, whatever holds them. */
export interface ByteSource {
  /** For messages: a path or another name that a person recognises. */
  readonly name: string;
  readonly size: number; // bytes
  /** The bytes of [start, end). @throws {CompError} "checkpoint" when the range is outside the source or cut short. */
  read(start: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A folder of files to read. Paths within it join their parts by "/". */
export interface SourceFolder {
  readonly name: string;
  /** Names of the files in it, or in a folder below it, sorted. */
  list(subfolder?: string): Promise<string[]>;
  /** Names of the folders in it, or in a folder below it, sorted. */
  subfolders(subfolder?: string): Promise<string[]>;
  open(file: string): Promise<ByteSource>;
}

/** One file being written, at any position, in any order. */
export interface ByteSink {
  write(position: number, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export interface CreateOptions {
  /** Of an output that another run has begun: keeps what the file has in it; default false. */
  readonly keepsContent?: boolean;
}

/** An output that appears under its name only when complete: written beside it, then renamed. */
export interface Output {
  readonly name: string;
  /** What has been written and closed so far, for reading it back before the commit. */
  readonly staged: SourceFolder;
  /**
   * Creates one file of the output, and the subfolder of a `file` in one ("folder/file"); for an output that is itself a single
   * file, `file` is ignored.
   */
  create(file: string, options?: CreateOptions): Promise<ByteSink>;
  /** Waits until all that has been written so far outlives the machine. */
  flush(): Promise<void>;
  /** Puts the finished output under its name. */
  commit(): Promise<void>;
  /** Removes everything written so far. Safe to call after `commit`, when it does nothing. */
  discard(): Promise<void>;
}

/** The last part of a path, with either kind of slash: all that a published file may say of where something lay. */
export const baseName = (path: string): string =>
  path
    .replace(/[\\/]+$/, "")
    .split(/[\\/]/)
    .at(-1)!;
