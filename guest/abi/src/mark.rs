//! Points of the start-up timeline, told to the VMM as they pass. Untrusted; for people only.

/// A stage that has just been reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mark {
    /// First instruction of firmware.
    Firmware = 1,
    /// Sealed partition found, header read.
    Found = 2,
    /// Manifest, kernel, engine, bundle and tree checked.
    Measured = 3,
    /// The TEE's report is in hand.
    Reported = 4,
    /// First instruction of the kernel.
    Kernel = 5,
    /// First instruction of the engine.
    Engine = 6,
    /// The model's header is parsed, its tensors laid out.
    Model = 7,
    /// Requests are accepted.
    Listening = 8,
    /// All weights are resident and checked.
    Weights = 9,
    /// The first generated token is handed to the network.
    FirstToken = 10,
}

impl Mark {
    /// All marks in order.
    pub const ALL: [Self; 10] = [
        Self::Firmware,
        Self::Found,
        Self::Measured,
        Self::Reported,
        Self::Kernel,
        Self::Engine,
        Self::Model,
        Self::Listening,
        Self::Weights,
        Self::FirstToken,
    ];

    /// The byte that goes over the mark port.
    #[must_use]
    pub const fn value(self) -> u8 {
        match self {
            Self::Firmware => 1,
            Self::Found => 2,
            Self::Measured => 3,
            Self::Reported => 4,
            Self::Kernel => 5,
            Self::Engine => 6,
            Self::Model => 7,
            Self::Listening => 8,
            Self::Weights => 9,
            Self::FirstToken => 10,
        }
    }

    /// The mark with that byte.
    #[must_use]
    pub fn from_value(value: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|mark| mark.value() == value)
    }

    /// Short name for tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Firmware => "firmware",
            Self::Found => "found",
            Self::Measured => "measured",
            Self::Reported => "reported",
            Self::Kernel => "kernel",
            Self::Engine => "engine",
            Self::Model => "model",
            Self::Listening => "listening",
            Self::Weights => "weights",
            Self::FirstToken => "first_token",
        }
    }
}
