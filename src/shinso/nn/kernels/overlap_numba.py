"""What must be done box after box: greedy suppression, and matching answers to truths."""

import numpy as np

from shinso.nn.kernels.compile_numba import kernel, part


@part
def overlap(boxes, i, others, j, of_first_only):  # pragma: no cover
    """Intersection over union; over the first box alone where ``of_first_only`` (COCO's crowds)."""
    width = min(boxes[i, 2], others[j, 2]) - max(boxes[i, 0], others[j, 0])
    height = min(boxes[i, 3], others[j, 3]) - max(boxes[i, 1], others[j, 1])
    if width <= 0.0 or height <= 0.0:
        return 0.0
    common = width * height
    own = (boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1])
    if of_first_only:
        return common / own
    return common / (own + (others[j, 2] - others[j, 0]) * (others[j, 3] - others[j, 1]) - common)


@kernel
def suppress(boxes, classes, threshold, max_kept):  # pragma: no cover
    """Places of the boxes that stay. boxes: float64, the surest first."""
    kept = np.empty(min(max_kept, boxes.shape[0]), np.int64)
    count = 0
    for i in range(boxes.shape[0]):
        if count == kept.shape[0]:
            break
        stays = True
        for k in range(count):
            j = kept[k]
            if classes[i] == classes[j] and overlap(boxes, i, boxes, j, False) > threshold:
                stays = False
                break
        if stays:
            kept[count] = i
            count += 1
    return kept[:count]


@kernel
def coco_overlaps(answers, truths, crowds):  # pragma: no cover
    """[answer truth] overlaps as COCO counts them."""
    found = np.empty((answers.shape[0], truths.shape[0]))
    for i in range(answers.shape[0]):
        for j in range(truths.shape[0]):
            found[i, j] = overlap(answers, i, truths, j, crowds[j])
    return found


@kernel
def coco_match(overlaps, order, ignored, crowds, thresholds, right, passed):  # pragma: no cover
    """Which answers are right at each threshold, as COCOeval.evaluateImg finds them.

    overlaps: [answer truth], the surest answer first; order: the truths, those to ignore last;
    right, passed: [threshold answer], whether it matched and whether it matched an ignored truth.
    """
    taken = np.empty(overlaps.shape[1], np.bool_)
    for t in range(thresholds.shape[0]):
        taken[:] = False
        for d in range(overlaps.shape[0]):
            best, most = -1, min(thresholds[t], 1.0 - 1e-10)
            for place in range(order.shape[0]):
                g = order[place]
                if taken[g] and not crowds[g]:
                    continue
                if best >= 0 and not ignored[best] and ignored[g]:
                    break
                if overlaps[d, g] < most:
                    continue
                best, most = g, overlaps[d, g]
            if best >= 0:
                taken[best] = True
                right[t, d] = True
                passed[t, d] = ignored[best]


@kernel
def match(defaults, truths, threshold, best_truth, matched):  # pragma: no cover
    """Fill which truth each default box learns, and whether it learns one: as
    ``boxes.match_defaults``, without the matrix of all overlaps.

    Most pairs do not meet, which two comparisons tell; so this takes a tenth of the matrix's time.
    """
    num_defaults, num_truths = defaults.shape[0], truths.shape[0]
    first = np.zeros(num_truths, np.int64)  # the best default box of each truth
    most = np.full(num_truths, -1.0)
    for d in range(num_defaults):
        best = -1.0
        for t in range(num_truths):
            shared = overlap(defaults, d, truths, t, False)
            if shared > best:
                best, best_truth[d] = shared, t
            if shared > most[t]:
                most[t], first[t] = shared, d
        matched[d] = best > threshold
    taken = np.zeros(num_defaults, np.bool_)
    waiting = np.ones(num_truths, np.bool_)
    for _ in range(min(num_truths, num_defaults)):
        chosen = -1
        for t in range(num_truths):
            if waiting[t] and (
                chosen < 0
                or most[t] > most[chosen]
                or (most[t] == most[chosen] and first[t] < first[chosen])
            ):
                chosen = t
        place = first[chosen]
        best_truth[place], matched[place] = chosen, True
        taken[place], waiting[chosen] = True, False
        for t in range(num_truths):
            if waiting[t] and first[t] == place:  # it wanted the same one: its next best
                most[t] = -1.0
                for d in range(num_defaults):
                    if not taken[d]:
                        shared = overlap(defaults, d, truths, t, False)
                        if shared > most[t]:
                            most[t], first[t] = shared, d
