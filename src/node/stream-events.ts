// Where the library meets its user: a function that reports its events becomes an async generator of them.
import { CompError } from "../errors.ts";

/** What every request of the library has. */
export interface ModelRequest {
  /** A Hugging Face folder or a GGUF file. */
  readonly model: string;
  /** Stops the run. */
  readonly signal?: AbortSignal | undefined;
}

/** Works, reports on the way, and returns the last event; undefined when there is none. */
export type ReportingTask<Event> = (report: (event: Event) => void, signal: AbortSignal) => Promise<Event | undefined>;

/**
 * Starts a task when the first event is asked for, and yields its events in their order. The task does not wait for them to be
 * read. A consumer that leaves early stops it, and goes on only when it has ended and cleaned up.
 *
 * @param stopped what is said when the signal ended it
 * @throws what the task throws, after the events before it; after the signal CompError "aborted", or an error that says more
 */
export async function* streamEvents<Event>(
  task: ReportingTask<Event>,
  { signal }: Pick<ModelRequest, "signal"> = {},
  stopped = "stopped",
): AsyncGenerator<Event, void, void> {
  const leaving = new AbortController();
  const events: Event[] = [];
  let wake = (): void => {};
  let hasEnded = false;
  const report = (event: Event): void => {
    events.push(event);
    wake();
  };
  const ended = task(report, AbortSignal.any(signal ? [signal, leaving.signal] : [leaving.signal])).finally(() => {
    hasEnded = true;
    wake();
  });
  ended.catch(() => {}); // told below, once the events before it are read
  try {
    for (;;) {
      while (events.length > 0) yield events.shift()!;
      if (hasEnded) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const last = await ended;
    if (last !== undefined) yield last;
  } catch (error) {
    if (!signal?.aborted || error instanceof CompError) throw error;
    throw new CompError("aborted", stopped, { cause: error });
  } finally {
    leaving.abort();
    await ended.catch(() => {});
  }
}
