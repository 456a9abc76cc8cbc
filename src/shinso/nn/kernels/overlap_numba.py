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
