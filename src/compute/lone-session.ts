// Sessions with memory of their own for what is between their nodes, of which one at a time is open.
import type { InferenceSession } from "onnxruntime-node";

/** Opens the session of a graph; told apart from others by being another function. */
export type OpenSession = () => Promise<InferenceSession>;

/**
 * Holds one open session. Its memory stays for the next run of the same graph, and goes when another graph has its turn: what all
 * graphs of a model need together would be far too much.
 */
export class LoneSession {
  #open: OpenSession | undefined;
  #session: InferenceSession | undefined;
  /** Ends when the last work that was asked for does: nobody closes a session while it runs. */
  #turn: Promise<unknown> = Promise.resolve();

  /** Works with the session that `open` gives: the one at hand, where it was given by the same. */
  use<Result>(open: OpenSession, work: (session: InferenceSession) => Promise<Result>): Promise<Result> {
    return this.#inTurn(async () => {
      if (this.#open !== open) {
        await this.#release();
        this.#session = await open();
        this.#open = open;
      }
      return work(this.#session!);
    });
  }

  /** Closes the session, whosever it is. */
  close(): Promise<void> {
    return this.#inTurn(() => this.#release());
  }

  async #release(): Promise<void> {
    const session = this.#session;
    [this.#open, this.#session] = [undefined, undefined];
    await session?.release();
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}
