//! How a run on a simulated machine ends.

use crate::io::sim::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The power goes out at some operation, or when all is done.
    PowerCut,
    /// The process is killed there; what it wrote stays.
    Kill,
    /// It is stopped in order, maybe while somebody waits for an answer.
    Stop,
    /// It is stopped, and then the power goes out.
    StopAndPowerCut,
}

impl End {
    pub(crate) fn pick(random: &mut Random) -> Self {
        match random.below(8) {
            0..4 => Self::PowerCut,
            4 | 5 => Self::Kill,
            6 => Self::Stop,
            _ => Self::StopAndPowerCut,
        }
    }

    /// Nobody is asked before.
    pub(crate) fn is_sudden(self) -> bool {
        match self {
            Self::PowerCut | Self::Kill => true,
            Self::Stop | Self::StopAndPowerCut => false,
        }
    }
}
