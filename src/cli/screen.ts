// The one printing place: results to stdout; messages and, on a terminal, one live line to stderr.

/** What a screen needs of a Node stream. */
export interface TextStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Screen {
  /** Whether the live line is shown. */
  readonly isTerminal: boolean;
  /** A line of the result. */
  print(line: string): void;
  /** A piece of the result, without a line end. */
  printPiece(text: string): void;
  /** A line for the person: a message, a warning, an error. */
  note(line: string): void;
  /** Replaces the live line; "" removes it. Does nothing in a pipe. */
  live(line: string): void;
}

const ERASE_LINE = "\r\u001b[2K";

export function createScreen(stdout: TextStream, stderr: TextStream): Screen {
  const isTerminal = stderr.isTTY === true;
  let shown = "";
  const live = (line: string): void => {
    if (!isTerminal || line === shown) return;
    // a line as wide as the terminal would wrap and could not be erased
    shown = line.slice(0, (stderr.columns ?? 80) - 1);
    stderr.write(`${ERASE_LINE}${shown}`);
  };
  const write = (stream: TextStream, text: string): void => {
    const line = shown;
    live("");
    stream.write(text);
    if (text.endsWith("\n")) live(line);
  };
  return {
    isTerminal,
    print: (line) => write(stdout, `${line}\n`),
    printPiece: (text) => write(stdout, text),
    note: (line) => write(stderr, `${line}\n`),
    live,
  };
}
