//! Everything that a key can mean, with its name in the palette and its sentence in the help.

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// Load, latency, pods and autoscaler on one time axis.
    Overview,
    /// All Knative services.
    Services,
    /// Each pod from asked-for to gone.
    Pods,
    /// Percentiles, and how latencies are distributed.
    Latency,
    /// The generator, the knee, Little's law.
    Load,
    /// Health and cost of what feeds us.
    Sources,
    /// What happened.
    Log,
    /// What needs a look.
    Findings,
    /// The recorded load under another configuration.
    WhatIf,
    /// The keys.
    Help,
    /// One decision of the autoscaler, step by step.
    Why,
}

/// What a key can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The rate a step up.
    RateUp,
    /// The rate a step down.
    RateDown,
    /// Half the rate.
    Halve,
    /// Twice the rate.
    Double,
    /// Type a rate.
    TypeRate,
    /// The rate to nothing.
    Zero,
    /// Take the last change back.
    Undo,
    /// Three times the rate for ten seconds.
    Burst,
    /// Stay at the present rate, or go on with the profile.
    Hold,
    /// The next stage.
    Next,
    /// Stop sending, or go on.
    Pause,
    /// Freeze the view, or thaw it.
    Freeze,
    /// The cursor one column back.
    CursorLeft,
    /// The cursor one column on.
    CursorRight,
    /// To the beginning.
    ToStart,
    /// To now; the cursor goes away.
    ToNow,
    /// The cursor to the mark before it: a panic, a stage, a change of load or configuration.
    MarkBack,
    /// The cursor to the next mark.
    MarkOn,
    /// Half the span on the axis.
    ZoomIn,
    /// Twice the span on the axis.
    ZoomOut,
    /// Write the screen to files.
    Snapshot,
    /// Keep a note.
    Note,
    /// Open what is selected, or confirm.
    Open,
    /// Back, or cancel.
    Back,
    /// Narrow the list.
    Filter,
    /// The next revision or pane.
    NextPane,
    /// Up in a list.
    Up,
    /// Down in a list.
    Down,
    /// A page up in a list.
    PageUp,
    /// A page down in a list.
    PageDown,
    /// Everything by name.
    Palette,
    /// Another view.
    Show(View),
    /// Leave.
    Quit,
    /// Stop now, without a question.
    Interrupt,
    /// Stop the process until the shell continues it.
    Suspend,
}

// === impl View ===

impl View {
    /// All views, in the order of their keys.
    pub const ALL: [Self; 11] = [
        Self::Overview,
        Self::Services,
        Self::Pods,
        Self::Latency,
        Self::Load,
        Self::Sources,
        Self::Log,
        Self::Help,
        Self::Why,
        Self::Findings,
        Self::WhatIf,
    ];

    /// Its name, as in the palette.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Services => "services",
            Self::Why => "why",
            Self::Pods => "pods",
            Self::Latency => "latency",
            Self::Load => "load",
            Self::Sources => "sources",
            Self::Log => "log",
            Self::Findings => "findings",
            Self::WhatIf => "what if",
            Self::Help => "help",
        }
    }

    /// Whether it has the time axis, so that the cursor moves in it.
    pub const fn has_time(self) -> bool {
        matches!(self, Self::Overview | Self::Pods | Self::Latency | Self::Load | Self::Why)
    }
}

// === impl Action ===

impl Action {
    /// Whether it shows another moment, or another view.
    pub(super) const fn moves(self) -> bool {
        matches!(
            self,
            Self::CursorLeft
                | Self::CursorRight
                | Self::ToStart
                | Self::ToNow
                | Self::MarkBack
                | Self::MarkOn
                | Self::Back
                | Self::Show(_)
        )
    }

    /// All actions, in the order of the palette.
    pub const ALL: [Self; 45] = [
        Self::RateUp,
        Self::RateDown,
        Self::Halve,
        Self::Double,
        Self::TypeRate,
        Self::Zero,
        Self::Undo,
        Self::Burst,
        Self::Hold,
        Self::Next,
        Self::Pause,
        Self::Freeze,
        Self::CursorLeft,
        Self::CursorRight,
        Self::ToStart,
        Self::ToNow,
        Self::MarkBack,
        Self::MarkOn,
        Self::ZoomIn,
        Self::ZoomOut,
        Self::Snapshot,
        Self::Note,
        Self::Open,
        Self::Back,
        Self::Filter,
        Self::NextPane,
        Self::Up,
        Self::Down,
        Self::PageUp,
        Self::PageDown,
        Self::Palette,
        Self::Show(View::Overview),
        Self::Show(View::Services),
        Self::Show(View::Pods),
        Self::Show(View::Latency),
        Self::Show(View::Load),
        Self::Show(View::Sources),
        Self::Show(View::Log),
        Self::Show(View::Findings),
        Self::Show(View::WhatIf),
        Self::Show(View::Help),
        Self::Show(View::Why),
        Self::Suspend,
        Self::Quit,
        Self::Interrupt,
    ];

    /// Its name in the palette.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RateUp => "rate up",
            Self::RateDown => "rate down",
            Self::Halve => "halve rate",
            Self::Double => "double rate",
            Self::TypeRate => "set rate",
            Self::Zero => "rate to zero",
            Self::Undo => "undo",
            Self::Burst => "burst",
            Self::Hold => "hold",
            Self::Next => "next stage",
            Self::Pause => "pause load",
            Self::Freeze => "freeze view",
            Self::CursorLeft => "cursor left",
            Self::CursorRight => "cursor right",
            Self::ToStart => "go to start",
            Self::ToNow => "go to now",
            Self::MarkBack => "mark before",
            Self::MarkOn => "next mark",
            Self::ZoomIn => "zoom in",
            Self::ZoomOut => "zoom out",
            Self::Snapshot => "snapshot",
            Self::Note => "note",
            Self::Open => "open",
            Self::Back => "back",
            Self::Filter => "filter",
            Self::NextPane => "next pane",
            Self::Up => "up",
            Self::Down => "down",
            Self::PageUp => "page up",
            Self::PageDown => "page down",
            Self::Palette => "palette",
            Self::Show(view) => view.name(),
            Self::Quit => "quit",
            Self::Interrupt => "stop now",
            Self::Suspend => "suspend",
        }
    }

    /// What it does, in one line.
    pub const fn about(self) -> &'static str {
        match self {
            Self::RateUp => "a step up: 10 % of the present, at least 1",
            Self::RateDown => "a step down: 10 % of the present, at least 1",
            Self::Halve => "half the present rate",
            Self::Double => "twice the present rate",
            Self::TypeRate => "type a rate",
            Self::Zero => "send nothing",
            Self::Undo => "take the last change back",
            Self::Burst => "three times the rate for ten seconds, then back",
            Self::Hold => "stay here, the profile waits; again: go on",
            Self::Next => "go to the next stage",
            Self::Pause => "pause load; again: resume",
            Self::Freeze => "freeze the view, collection goes on; again: thaw",
            Self::CursorLeft => "cursor back: every panel shows that moment",
            Self::CursorRight => "cursor on",
            Self::ToStart => "to the beginning",
            Self::ToNow => "to now",
            Self::MarkBack => "to the mark before: panic, stage, load, config",
            Self::MarkOn => "to the next mark; past the last one to now",
            Self::ZoomIn => "half the time on the axis",
            Self::ZoomOut => "twice the time on the axis",
            Self::Snapshot => "screen, values and chart to files",
            Self::Note => "a note at the cursor, kept in the record",
            Self::Open => "open what is selected; confirm",
            Self::Back => "back; cancel",
            Self::Filter => "narrow the list",
            Self::NextPane => "next revision or pane",
            Self::Up => "up in a list",
            Self::Down => "down in a list",
            Self::PageUp => "a page up in a list",
            Self::PageDown => "a page down in a list",
            Self::Palette => "everything by its name",
            Self::Show(View::Overview) => "all lanes on one time axis",
            Self::Show(View::Services) => "all Knative services",
            Self::Show(View::Pods) => "each pod from asked-for to gone",
            Self::Show(View::Latency) => "percentiles, and how latencies are distributed",
            Self::Show(View::Load) => "whether we keep up, the knee, Little's law",
            Self::Show(View::Sources) => "health and cost of what feeds us",
            Self::Show(View::Log) => "what happened, as sentences",
            Self::Show(View::Findings) => "what needs a look, with its evidence",
            Self::Show(View::WhatIf) => "the same load under another configuration",
            Self::Show(View::Help) => "the keys",
            Self::Show(View::Why) => "one decision of the autoscaler, step by step",
            Self::Quit => "leave; asks while load runs",
            Self::Interrupt => "stop now, without a question",
            Self::Suspend => "back to the shell; fg continues",
        }
    }
}
