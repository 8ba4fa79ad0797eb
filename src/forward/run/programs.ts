// Compiled graphs, shared by all layers of a shape.
import type { Backend, Program } from "../../compute/backend.ts";
import type { Graph } from "../../compute/graph.ts";

/** Programs kept; a model whose layers all have different widths would otherwise collect hundreds. */
const MAX_PROGRAMS = 48;

/** Compiles a graph when first asked for and keeps the programs used last. */
export class ProgramCache {
  readonly #backend: Backend;
  readonly #programs = new Map<string, Program>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** The program of `key`; the graph is built only when it is not at hand. The key must determine the graph. */
  async get(key: string, build: () => Graph): Promise<Program> {
    const program = this.#programs.get(key) ?? (await this.#backend.compile(build()));
    this.#programs.delete(key);
    this.#programs.set(key, program);
    if (this.#programs.size > MAX_PROGRAMS) await this.#releaseOldest();
    return program;
  }

  async release(): Promise<void> {
    while (this.#programs.size > 0) await this.#releaseOldest();
  }

  async #releaseOldest(): Promise<void> {
    const [key, program] = this.#programs.entries().next().value!;
    this.#programs.delete(key);
    await program.release();
  }
}
