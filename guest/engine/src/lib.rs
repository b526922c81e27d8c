//! The ring-3 program: joins model, net and user runtime.
