// Where bytes come from and go to. Adapters (src/node/) implement these; nothing here knows of a file system.

/** Random access to one file's bytes, whatever holds them. */
export interface ByteSource {
  /** For messages: a path or another name that a person recognises. */
  readonly name: string;
  readonly size: number; // bytes
  /** The bytes of [start, end). @throws {CompError} "checkpoint" when the range is outside the source or cut short. */
  read(start: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A flat folder of files to read. */
export interface SourceFolder {
  readonly name: string;
  /** Names of the files in it, sorted. */
  list(): Promise<string[]>;
  open(file: string): Promise<ByteSource>;
}

/** One file being written, at any position, in any order. */
export interface ByteSink {
  write(position: number, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** An output that appears under its name only when complete: written beside it, then renamed. */
export interface Output {
  readonly name: string;
  /** What has been written and closed so far, for reading it back before the commit. */
  readonly staged: SourceFolder;
  /** Creates one file of the output; for an output that is itself a single file, `file` is ignored. */
  create(file: string): Promise<ByteSink>;
  /** Puts the finished output under its name. */
  commit(): Promise<void>;
  /** Removes everything written so far. Safe to call after `commit`, when it does nothing. */
  discard(): Promise<void>;
}
