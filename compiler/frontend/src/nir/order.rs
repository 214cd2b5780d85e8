//! The order in which nodes are computed, and loops that have none.

use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Compares names so that numbers in them count as numbers: `2`, `10`, `10.lif`, `fc1`.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (l, r) = (digits(left), digits(right));
        let order = if l > 0 && r > 0 {
            let (x, y) = (
                left[..l].trim_start_matches('0'),
                right[..r].trim_start_matches('0'),
            );
            let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
            (left, right) = (&left[l..], &right[r..]);
            order
        } else {
            let (mut x, mut y) = (left.chars(), right.chars());
            match (x.next(), y.next()) {
                (None, None) => return a.cmp(b),
                (x_char, y_char) => {
                    (left, right) = (x.as_str(), y.as_str());
                    x_char.cmp(&y_char)
                }
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// All nodes, sources before targets; `is_source` nodes come first. Where a loop leaves no such
/// order, it is entered at a node for which `breaks_loop` holds, so that what feeds it back comes
/// later.
///
/// `predecessors[n]` are the nodes with an edge to `n`.
pub(super) fn topological(
    predecessors: &[Vec<usize>],
    is_source: impl Fn(usize) -> bool,
    breaks_loop: impl Fn(usize) -> bool,
) -> Vec<usize> {
    let n = predecessors.len();
    let successors = successors(predecessors);
    let mut waiting_for: Vec<usize> = predecessors.iter().map(Vec::len).collect();
    let mut done = vec![false; n];
    let mut ready: BTreeSet<(bool, usize)> = (0..n)
        .filter(|&node| waiting_for[node] == 0 || is_source(node))
        .map(|node| (!is_source(node), node))
        .collect();
    let mut order = Vec::with_capacity(n);
    while order.len() < n {
        let next = ready.pop_first().map(|(_, node)| node).or_else(|| {
            let open = || (0..n).filter(|&node| !done[node]);
            let some_before = |&node: &usize| predecessors[node].iter().any(|&p| done[p]);
            open()
                .find(|node| breaks_loop(*node) && some_before(node))
                .or_else(|| open().find(|&node| breaks_loop(node)))
                .or_else(|| open().find(some_before))
                .or_else(|| open().next())
        });
        let Some(next) = next else { break };
        done[next] = true;
        order.push(next);
        for &node in &successors[next] {
            waiting_for[node] -= 1;
            if waiting_for[node] == 0 && !done[node] {
                ready.insert((!is_source(node), node));
            }
        }
    }
    order
}

/// Loops among the nodes for which `keep` holds; each node is in at most one of them.
pub(super) fn loops(predecessors: &[Vec<usize>], keep: impl Fn(usize) -> bool) -> Vec<Vec<usize>> {
    let n = predecessors.len();
    let successors = successors(predecessors);
    let mut alive: Vec<bool> = (0..n).map(keep).collect();
    let mut alive_before: Vec<usize> = predecessors
        .iter()
        .map(|before| before.iter().filter(|&&p| alive[p]).count())
        .collect();
    let mut leaving: Vec<usize> = (0..n)
        .filter(|&node| alive[node] && alive_before[node] == 0)
        .collect();
    for &node in &leaving {
        alive[node] = false;
    }
    let mut found = Vec::new();
    let mut start = 0;
    loop {
        // Peel off what has no predecessor left; what remains lies on or behind a loop.
        while let Some(node) = leaving.pop() {
            for &after in &successors[node] {
                alive_before[after] = alive_before[after].saturating_sub(1);
                if alive[after] && alive_before[after] == 0 {
                    alive[after] = false;
                    leaving.push(after);
                }
            }
        }
        while start < n && !alive[start] {
            start += 1;
        }
        if start == n {
            return found;
        }
        // Every node left has a predecessor left, so walking back must come to a node twice.
        let mut path = vec![start];
        let mut place = vec![None; n];
        place[start] = Some(0);
        let mut last = start;
        let mut cycle = loop {
            let Some(&before) = predecessors[last].iter().find(|&&p| alive[p]) else {
                return found;
            };
            match place[before] {
                Some(at) => break path.split_off(at),
                None => {
                    place[before] = Some(path.len());
                    path.push(before);
                    last = before;
                }
            }
        };
        for &node in &cycle {
            alive[node] = false;
            leaving.push(node);
        }
        // The walk went backwards, from target to source.
        cycle.reverse();
        let smallest = cycle.iter().enumerate().min_by_key(|&(_, node)| node);
        let shift = smallest.map_or(0, |(at, _)| at);
        cycle.rotate_left(shift);
        found.push(cycle);
    }
}

fn successors(predecessors: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut successors = vec![Vec::new(); predecessors.len()];
    for (node, before) in predecessors.iter().enumerate() {
        for &source in before {
            successors[source].push(node);
        }
    }
    successors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_compared_as_numbers() {
        let mut names = vec!["10", "fc2", "9", "1.w_rec", "1.lif", "fc10", "1", "01"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            ["01", "1", "1.lif", "1.w_rec", "9", "10", "fc2", "fc10"]
        );
    }

    #[test]
    fn a_recurrent_weight_comes_after_its_neuron() {
        // 0 -> 1 -> 3, 1 -> 2 -> 1
        let predecessors = vec![vec![], vec![0, 2], vec![1], vec![1]];
        let order = topological(&predecessors, |n| n == 0, |n| n == 1);
        assert_eq!(order, [0, 1, 2, 3]);
    }

    #[test]
    fn each_loop_is_found_once_in_the_direction_of_its_edges() {
        // 0 -> 1 -> 2 -> 0, 3 -> 3, 4 behind 3
        let predecessors = vec![vec![2], vec![0], vec![1], vec![3], vec![3]];
        assert_eq!(loops(&predecessors, |_| true), [vec![0, 1, 2], vec![3]]);
        assert_eq!(loops(&predecessors, |n| n > 2), [vec![3]]);
    }
}
