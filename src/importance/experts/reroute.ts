// Ours: what the loss loses when experts are gone and the next ones have stepped in, exactly, from inner products alone.
import { CompError } from "../../errors.ts";
import type { Rerouting } from "../../linalg/routed-sums.ts";
import type { Removal } from "../criterion.ts";
import type { ExpertCriterion } from "./expert-criterion.ts";

/** Experts of a token whose outputs are looked at beyond those that it goes to: who steps in, and for these again. */
const STEPPING_IN = 4;

/** Of how many experts of a token it is known what they write, where a criterion reroutes. */
export const knownExperts = (perToken: number): number => perToken + STEPPING_IN;

/**
 * Removes one expert after the other, each time the one whose removal adds least to
 *
 * cost(R) = ½ mean_t (y_R(t) − y(t))ᵀ S (y_R(t) − y(t)), nats a token,
 *
 * y(t) the target and y_R(t) = Σ w_e f_e over the experts that token t goes to when the set R is gone: the family's rule over
 * those that are left. An expert that steps in from further back than `known` counts as writing nothing.
 *
 * Cost: for each removal, tokens · perToken² · (perToken + 1) multiply-adds.
 *
 * @throws {CompError} "numeric" when products are not finite
 */
export const reroute: ExpertCriterion = {
  reroutes: true,
  rank: ({ rerouting }, count) => removeRerouted(rerouting!, count),
};

function removeRerouted(rerouting: Rerouting, count: number): Removal {
  const { outputs, tokenCount } = rerouting;
  const tokens = new TokenErrors(rerouting);
  const [order, costs] = [new Int32Array(count), new Float64Array(count)];
  for (let step = 0; step < count; step++) {
    const added = new Float64Array(outputs);
    for (let token = 0; token < tokenCount; token++) tokens.addTo(added, token);
    let least = -1;
    for (let expert = 0; expert < outputs; expert++)
      if (tokens.gone[expert] === 0 && (least < 0 || added[expert]! < added[least]!)) least = expert;
    if (!Number.isFinite(added[least]!)) throw notFinite(added[least]!);
    tokens.gone[least] = 1;
    order[step] = least;
    costs[step] = added[least]! / (2 * tokenCount);
  }
  return { order, costs };
}

const notFinite = (cost: number): CompError =>
  new CompError("numeric", `an expert's removal would cost ${cost}`, {
    hint: "weights or calibration statistics are not finite: check the checkpoint",
  });

/** The errors of single tokens while experts go. */
class TokenErrors {
  /** 1 where an expert is gone. */
  readonly gone: Uint8Array;
  readonly #of: Rerouting;
  /** Where in the token's order its experts stand. */
  readonly #places: Int32Array;
  readonly #chosen: Int32Array;

  constructor(rerouting: Rerouting) {
    this.#of = rerouting;
    this.gone = new Uint8Array(rerouting.outputs);
    this.#places = new Int32Array(rerouting.perToken);
    this.#chosen = new Int32Array(rerouting.perToken);
  }

  /** Adds to each expert what its removal would add to the error of a token. */
  addTo(added: Float64Array, token: number): void {
    const { dependsOnAll, outputs, perToken } = this.#of;
    const now = this.#error(token);
    const without = (expert: number): void => {
      this.gone[expert] = 1;
      added[expert]! += this.#error(token) - now;
      this.gone[expert] = 0;
    };
    if (dependsOnAll) {
      for (let expert = 0; expert < outputs; expert++) if (this.gone[expert] === 0) without(expert);
    } else for (const expert of this.#chosen.slice(0, perToken)) without(expert);
  }

  /** (y_R − y)ᵀ S (y_R − y) of a token. */
  #error(token: number): number {
    const { known, products, perToken, order, outputs } = this.#of;
    const [places, chosen] = [this.#places, this.#chosen];
    for (let place = 0, found = 0; found < perToken; place++) {
      const expert = order[token * outputs + place]!;
      if (this.gone[expert] === 1) continue;
      places[found] = place;
      chosen[found++] = expert;
    }
    const weights = this.#of.weigh(token, chosen, this.gone);
    const size = 1 + known;
    const start = token * size * size;
    let error = products[start]!;
    for (let i = 0; i < perToken && places[i]! < known; i++) {
      const row = start + (1 + places[i]!) * size;
      let product = products[row + 1 + places[i]!]! * weights[i]! - 2 * products[row]!;
      for (let j = 0; j < i; j++) product += 2 * weights[j]! * products[row + 1 + places[j]!]!;
      error += weights[i]! * product;
    }
    return error;
  }
}
