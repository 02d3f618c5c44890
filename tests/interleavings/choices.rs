//! The choices of one interleaving: drawn from a seed, or given. A choice of 0 is the dull one: no fault, the next actor
//! in turn. So a failure shrinks when its choices become 0.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub struct Choices {
    pub made: Vec<u32>,
    next: usize,
    random: Option<StdRng>,
}

impl Choices {
    pub fn of_seed(seed: u64) -> Self {
        Self { made: Vec::new(), next: 0, random: Some(StdRng::seed_from_u64(seed)) }
    }

    /// These, then 0 forever.
    pub fn given(made: Vec<u32>) -> Self {
        Self { made, next: 0, random: None }
    }

    /// A number below `count`.
    pub fn pick(&mut self, count: usize) -> usize {
        let count = u32::try_from(count).unwrap();
        if self.next == self.made.len() {
            let choice = self.random.as_mut().map_or(0, |random| random.random_range(0..count));
            self.made.push(choice);
        }
        self.next += 1;
        (self.made[self.next - 1] % count) as usize
    }

    /// True once in so many times.
    pub fn happens(&mut self, once_in: usize) -> bool {
        self.pick(once_in) + 1 == once_in
    }

    pub fn any<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.pick(of.len())].clone()
    }
}
