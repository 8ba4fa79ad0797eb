// What a criterion for whole experts is: it ranks the experts of one mixture by what their removal costs.
import type { RoutedSums } from "../../linalg/routed-sums.ts";
import type { Removal } from "../criterion.ts";

export interface ExpertCriterion {
  /** Whether `sums.rerouting` has to be there. */
  readonly reroutes?: boolean;
  /** The first `count` experts to remove. @throws {CompError} "numeric" when a score is not finite */
  rank(sums: RoutedSums, count: number): Removal;
}
