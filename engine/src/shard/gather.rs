//! The places where all cores wait for each other: a core must not close its logs while another
//! still answers clients, nor the node claim a clean stop before the last log is sealed.

use std::cell::RefCell;

use futures_channel::oneshot;

#[derive(Default)]
pub struct Gather {
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    arrived: Vec<oneshot::Sender<bool>>,
    is_unsound: bool,
}

impl Gather {
    /// Answers all when the last of `cores` has arrived, and starts anew.
    pub fn arrive(&self, cores: u16, is_sound: bool, answer: oneshot::Sender<bool>) {
        let complete = {
            let mut state = self.state.borrow_mut();
            state.arrived.push(answer);
            state.is_unsound |= !is_sound;
            (state.arrived.len() == usize::from(cores)).then(|| std::mem::take(&mut *state))
        };
        if let Some(state) = complete {
            for answer in state.arrived {
                answer.send(!state.is_unsound).ok();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_goes_on_before_the_last_has_come_and_one_unsound_core_is_heard() {
        let gather = Gather::default();
        let (first, mut first_answer) = oneshot::channel();
        let (second, mut second_answer) = oneshot::channel();
        gather.arrive(2, false, first);
        assert_eq!(first_answer.try_recv(), Ok(None));
        gather.arrive(2, true, second);
        assert_eq!(first_answer.try_recv(), Ok(Some(false)));
        assert_eq!(second_answer.try_recv(), Ok(Some(false)));

        let (third, mut third_answer) = oneshot::channel();
        gather.arrive(1, true, third);
        assert_eq!(third_answer.try_recv(), Ok(Some(true)));
    }
}
